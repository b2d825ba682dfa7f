//! The broker loses its power (or its process is killed) at moments of the seed's choosing, between
//! any two effects on its disk or in the middle of one, while clients work. In the end everything is
//! read back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_env::sim::{LossPlan, Random, Sim, SimEnv};
use ottla_env::{Env, Task};
use ottla_protocol::messages::CreateTopicsRequest;
use ottla_protocol::messages::create_topics_request::CreatableTopic;

use super::{Report, report};
use crate::history::{Ending, History, SharedHistory};
use crate::node::{BROKER, CLIENT, Flush, Start, address, layers, start};
use crate::wire::Connection;
use crate::workload::producer::Producer;
use crate::workload::{Setup, TOPIC, committer, consumer, reader};

/// Failures in a run.
const FAILURES: (u64, u64) = (1, 4);
/// Effects on the disk before one is cut short.
const EFFECTS_MAX: u64 = 400;
/// Virtual time before the power goes anyway.
const UP_MS_MAX: u64 = 400;
/// Starts after one failure that may be cut short in turn.
const STARTS_MAX: u32 = 6;
/// Clients have this long to hear the last answers.
const STOP_LIMIT: Duration = Duration::from_secs(60);

struct Story<'a> {
    sim: &'a Sim,
    random: Random,
    flush: Flush,
    setup: Arc<Setup>,
    client: SimEnv,
}

/// Runs one seed.
pub fn run(seed: u64, flush: Flush) -> Report {
    let sim = Sim::new(seed);
    let mut random = Random::new(seed.rotate_left(32) ^ 0x6f74_746c_6121);
    let broker = sim.node(BROKER);
    let client = sim.node(CLIENT);
    let history = SharedHistory::default();
    let setup = Arc::new(Setup {
        address: address(&broker),
        partitions: random.between(1, 3) as i32,
        history: history.clone(),
        stopping: AtomicBool::new(false),
        forgetting_is_wrong: flush == Flush::Wal,
    });
    let mut story = Story { sim: &sim, random, flush, setup, client };
    let ending = sim.block_on(story.tell(broker));
    let ending = ending.unwrap_or_else(|text| {
        history.lock().surprises.push(text);
        Ending::default()
    });
    report(&sim, &history.lock(), &ending)
}

impl Story<'_> {
    async fn tell(&mut self, broker: SimEnv) -> Result<Ending, String> {
        match start(self.sim, broker, self.layers()).await {
            Start::Up => {}
            other => return Err(format!("the first start: {other:?}")),
        }
        self.create_topic().await?;
        let workers = self.begin_work();
        for _ in 0..self.random.between(FAILURES.0, FAILURES.1) {
            self.fail().await;
            self.come_back().await?;
        }
        let linger = self.random.below(UP_MS_MAX);
        self.sim.sleep(Duration::from_millis(linger)).await;
        self.setup.stopping.store(true, Ordering::Relaxed);
        for worker in workers {
            let ended = self.client.timeout(STOP_LIMIT, worker).await;
            ended.map_err(|_| "a client never stopped".to_owned())?.map_err(|e| e.to_string())?;
        }
        // One last failure, with nothing under way: all that was promised must be there.
        self.go_down();
        self.come_back().await?;
        self.read_back().await
    }

    fn layers(&self) -> ottla_config::Layers {
        layers(self.flush, self.setup.partitions)
    }

    async fn create_topic(&self) -> Result<(), String> {
        let mut connection = self.open().await?;
        let topic = CreatableTopic {
            name: TOPIC.into(),
            num_partitions: self.setup.partitions,
            replication_factor: 1,
            ..CreatableTopic::default()
        };
        let request = CreateTopicsRequest {
            topics: vec![topic],
            timeout_ms: 5_000,
            ..CreateTopicsRequest::default()
        };
        let response = connection.call(&request, 7).await.map_err(|error| error.to_string())?;
        match response.topics.first() {
            Some(topic) if topic.error_code == 0 => Ok(()),
            other => Err(format!("the topic was not created: {other:?}")),
        }
    }

    fn begin_work(&mut self) -> Vec<Task> {
        let (client, setup) = (&self.client, &self.setup);
        let mut workers = Vec::new();
        for index in 0..self.random.between(1, 4) as u32 {
            let random = Random::new(self.random.next_u64());
            let producer = Producer::new(client.clone(), setup.clone(), index, random);
            workers.push(spawn(client, "producer", producer.run()));
        }
        workers.push(spawn(client, "consumer", consumer::run(client.clone(), setup.clone())));
        workers.push(spawn(client, "committer", committer::run(client.clone(), setup.clone())));
        workers
    }

    /// Something happens to the broker's machine.
    async fn fail(&mut self) {
        let up = Duration::from_millis(self.random.below(UP_MS_MAX));
        if self.random.chance(60) {
            let after = self.random.below(EFFECTS_MAX);
            self.sim.cut_power_at_effect(BROKER, after);
            let down = self.client.timeout(up, self.sim.until_down(BROKER)).await;
            if down.is_ok() {
                self.setup.history.lock().cuts += 1;
                return;
            }
        } else {
            self.sim.sleep(up).await;
        }
        self.go_down();
    }

    fn go_down(&mut self) {
        let mut history = self.setup.history.lock();
        if self.random.chance(25) {
            history.kills += 1;
            self.sim.kill(BROKER);
        } else if self.random.chance(25) {
            history.cuts += 1;
            self.sim.power_cut_with(BROKER, &LossPlan::lose_all());
        } else {
            history.cuts += 1;
            self.sim.power_cut(BROKER);
        }
    }

    /// Starts the broker again; now and then the power goes while it recovers.
    async fn come_back(&mut self) -> Result<(), String> {
        for attempt in 0..STARTS_MAX {
            let pause = self.random.below(200);
            self.sim.sleep(Duration::from_millis(pause)).await;
            let env = self.sim.restart(BROKER);
            let last = attempt + 1 == STARTS_MAX;
            let cut_short = !last && self.random.chance(20);
            if cut_short {
                let after = self.random.below(20);
                self.sim.cut_power_at_effect(BROKER, after);
            }
            match start(self.sim, env, self.layers()).await {
                // A cut that did not come yet may come later; that is a failure like any other.
                Start::Up => return Ok(()),
                Start::Down => self.setup.history.lock().cuts += 1,
                Start::Refused(text) => return Err(format!("the broker does not start: {text}")),
            }
        }
        Err("the broker did not come up".to_owned())
    }

    async fn read_back(&mut self) -> Result<Ending, String> {
        for _ in 0..STARTS_MAX {
            match self.try_read_back().await {
                Ok(ending) => return Ok(ending),
                Err(_) if !self.sim.is_up(BROKER) => self.come_back().await?,
                Err(text) => return Err(format!("reading back: {text}")),
            }
        }
        Err("nothing could be read back".to_owned())
    }

    async fn try_read_back(&self) -> Result<Ending, String> {
        let mut connection = self.open().await?;
        let mut ending = Ending::default();
        for index in 0..self.setup.partitions {
            let end = reader::read_all(&mut connection, index).await?;
            ending.partitions.insert(index, end);
        }
        let tried = |history: &History| {
            history.partitions.values().any(|partition| partition.commit_tried.is_some())
        };
        if tried(&self.setup.history.lock()) {
            let partitions = self.setup.partitions;
            let committed =
                committer::read_committed(&self.client, &mut connection, partitions).await?;
            for (index, offset) in committed.into_iter().enumerate() {
                ending.partitions.entry(index as i32).or_default().committed = offset;
            }
        }
        Ok(ending)
    }

    async fn open(&self) -> Result<Connection<SimEnv>, String> {
        Connection::open(&self.client, self.setup.address).await.map_err(|error| error.to_string())
    }
}

/// Generic, so that the future's being `Send` is settled where the environment is unknown.
fn spawn<E: Env>(
    env: &E,
    name: &'static str,
    future: impl Future<Output = ()> + Send + 'static,
) -> Task {
    env.spawn(name, future)
}
