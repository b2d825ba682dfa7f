//! Whole clusters, of one node or many: real brokers, real clients, and everything that can go wrong,
//! of which each seed enables a random part. First trouble; then everything is put right, and what
//! was promised must come: every call ends, groups settle, replicas agree. At last the judge.
//!
//! A run has bounds, in virtual time and in steps: what spins or waits for ever is a finding.

mod choice;
mod closing;
mod cluster;
mod diary;
mod directories;
mod files;
mod replicas;
mod settled;
mod trouble;
mod work;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI16, AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use ottla_client::{Admin, NewTopic};
use ottla_env::Env;
use ottla_env::sim::{Random, Sim, SimEnv};
use ottla_judge::{Violation, What};
use parking_lot::Mutex;

use crate::node::Flush;
use choice::Choice;
use cluster::Cluster;
use diary::Diary;
use trouble::Trouble;
use work::{SHORT, Setup};

/// Machines that clients run on.
const CLIENTS: usize = 2;
/// A run ends by itself long before.
const TIME_LIMIT: Duration = Duration::from_secs(900);
const STEP_LIMIT: u64 = 20_000_000;
/// After the last trouble everything comes right within this time (DESIGN: 60 simulated seconds).
const CALM_LIMIT: Duration = Duration::from_secs(60);
/// The first start of all nodes.
const START_LIMIT: Duration = Duration::from_secs(30);

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Broken promises; none, if all is well.
    pub violations: Vec<Violation>,
    /// What the seed enabled.
    pub choice: String,
    /// Records acknowledged, given to consumers, and there at the end.
    pub acknowledged: usize,
    pub observed: usize,
    pub read_back: usize,
    pub troubles: u32,
    pub cuts: u32,
    pub kills: u32,
    /// Virtual time.
    pub took_ms: u64,
    /// Tasks polled.
    pub steps: u64,
    /// The run's fingerprint.
    pub trace_hash: u64,
}

struct Story<'a> {
    sim: &'a Sim,
    setup: Arc<Setup>,
    cluster: Cluster<'a>,
    trouble: Trouble<'a>,
    clients: Vec<SimEnv>,
    random: Random,
    /// For what came to the story later.
    later: Random,
}

/// Runs one seed on so many nodes.
pub fn run(seed: u64, nodes: usize, flush: Flush) -> Outcome {
    let sim = Sim::new(seed);
    sim.set_limits(TIME_LIMIT, STEP_LIMIT);
    let mut random = Random::new(seed.rotate_left(32) ^ 0x7377_6172_6d00 ^ nodes as u64);
    let mut later = Random::new(seed.rotate_left(16) ^ 0x6d6f_7665 ^ nodes as u64);
    let choice = Choice::new(nodes, &mut random, &mut later);
    let cluster = Cluster::new(&sim, flush, &choice);
    let clients: Vec<SimEnv> = (1..=CLIENTS).map(|n| cluster::client(&sim, n)).collect();
    let troubled = Random::new(random.next_u64());
    let trouble = Trouble::new(&sim, &choice, &cluster, CLIENTS, troubled);
    let setup = Arc::new(Setup {
        choice: choice.clone(),
        bootstrap: cluster.bootstrap(),
        nodes: cluster.addresses().to_vec(),
        diary: Diary::default(),
        seen: Mutex::default(),
        stopping: AtomicBool::new(false),
        lives: AtomicU64::new(0),
        grown: AtomicI32::new(1),
        level: AtomicI16::new(0),
    });
    let mut story = Story { sim: &sim, setup, cluster, trouble, clients, random, later };
    if let Err(text) = sim.block_on(story.tell()) {
        story.setup.diary.wrong(sim.now(), "the end", &text);
    }
    let mut violations = story.setup.diary.judge().violations;
    if story.trouble.is_flipped {
        // What the bit hit is gone; nothing else may be said of it than what is true.
        violations.retain(|violation| ["invented", "one_value"].contains(&violation.promise));
    }
    let [acknowledged, observed, read_back] = story.setup.diary.counts();
    Outcome {
        violations,
        choice: choice.to_string(),
        acknowledged,
        observed,
        read_back,
        troubles: story.trouble.count,
        cuts: story.cluster.cuts,
        kills: story.cluster.kills,
        took_ms: sim.now().as_millis(),
        steps: sim.steps(),
        trace_hash: sim.trace_hash(),
    }
}

impl Story<'_> {
    async fn tell(&mut self) -> Result<(), String> {
        for index in 0..self.cluster.len() {
            self.cluster.start(index);
        }
        self.until_all_serve(START_LIMIT).await.map_err(|text| format!("first start: {text}"))?;
        self.make_topics().await?;
        let tasks = work::begin(&self.clients, &self.setup, &mut self.random, &mut self.later);
        self.trouble.make(&mut self.cluster).await;
        self.trouble.cure_all(&mut self.cluster);
        let calm_since = self.sim.now();
        // Nothing new is begun, and what was begun comes to its end.
        self.setup.stopping.store(true, Ordering::Relaxed);
        self.until_all_serve(CALM_LIMIT).await?;
        self.who_serves_knows().await?;
        for (who, task) in tasks {
            let left = CALM_LIMIT.saturating_sub(self.sim.now().since(calm_since));
            let ended = self.clients[0].timeout(left, task).await;
            let _stopped = ended.map_err(|_| format!("liveness: a call of a {who} did not end"))?;
        }
        self.close(calm_since).await
    }

    /// Waits until every node takes clients. A machine that went down meanwhile is started again.
    async fn until_all_serve(&mut self, limit: Duration) -> Result<(), String> {
        let began = self.sim.now();
        loop {
            let mut all = true;
            for index in 0..self.cluster.len() {
                let name = self.cluster.name(index).to_owned();
                if !self.cluster.is_up(index) {
                    // The last trouble had its effect late.
                    self.cluster.down(index);
                    self.cluster.start(index);
                }
                all &= self
                    .cluster
                    .serves(index)
                    .map_err(|text| format!("{name} does not start on a sound disk: {text}"))?;
            }
            if all {
                return Ok(());
            }
            if self.sim.now().since(began) > limit {
                return Err(format!("liveness: not all nodes serve after {limit:?}"));
            }
            self.sim.sleep(Duration::from_millis(20)).await;
        }
    }

    async fn make_topics(&mut self) -> Result<(), String> {
        let env = self.clients[0].clone();
        let admin = Admin::new(work::connect(&env, &self.setup.bootstrap));
        for (topic, partitions, configs) in self.setup.topics() {
            let configs = configs.into_iter().map(|(key, value)| (key.into(), value.into()));
            let new = NewTopic {
                configs: configs.collect(),
                ..NewTopic::new(topic).partitions(partitions)
            };
            let made = admin.create_topic(&new, false).await;
            let id = made.map_err(|error| format!("topic {topic}: {error}"))?;
            let id = format!("{id:?}");
            self.setup.diary.note(self.sim.now(), "begin", What::TopicCreated { topic, id: &id });
            if topic == SHORT {
                let keep = self.setup.kept_records();
                self.setup.diary.note(self.sim.now(), "begin", What::Retention { topic, keep });
            }
        }
        Ok(())
    }
}
