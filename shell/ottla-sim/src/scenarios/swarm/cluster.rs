//! The machines that brokers run on: one alone, or a cluster of nodes that are broker and controller.

use std::net::SocketAddr;
use std::time::Duration;

use ottla_broker::Broker;
use ottla_config::{Layers, Setting};
use ottla_env::Env;
use ottla_env::sim::{LossPlan, Sim, SimEnv};
use tokio::sync::oneshot;

use crate::node::{Flush, PORT};

/// Where controllers listen.
const CONTROLLER_PORT: u16 = 9093;
/// An orderly stop takes no longer, or it is a kill.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// A node's process.
#[derive(Debug, Default)]
enum Process {
    #[default]
    None,
    Starting(oneshot::Receiver<Result<(), String>>),
    Serving,
    Refused(String),
}

struct Member {
    name: String,
    process: Process,
    /// Asks for an orderly stop, and hears of its end.
    stop: Option<(oneshot::Sender<()>, oneshot::Receiver<()>)>,
}

/// All nodes.
pub(super) struct Cluster<'a> {
    sim: &'a Sim,
    flush: Flush,
    members: Vec<Member>,
    addresses: Vec<SocketAddr>,
    pub(super) cuts: u32,
    pub(super) kills: u32,
}

impl<'a> Cluster<'a> {
    /// Machines with empty disks; nothing runs.
    pub(super) fn new(sim: &'a Sim, nodes: usize, flush: Flush) -> Cluster<'a> {
        let names = (1..=nodes).map(|number| format!("n{number}"));
        let member = |name| Member { name, process: Process::None, stop: None };
        let members: Vec<Member> = names.map(member).collect();
        let address = |member: &Member| SocketAddr::new(sim.node(&member.name).ip(), PORT);
        let addresses = members.iter().map(address).collect();
        Cluster { sim, flush, members, addresses, cuts: 0, kills: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn name(&self, index: usize) -> &str {
        &self.members[index].name
    }

    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What clients dial first.
    pub(super) fn bootstrap(&self) -> String {
        let addresses: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        addresses.join(",")
    }

    pub(super) fn is_up(&self, index: usize) -> bool {
        self.sim.is_up(self.name(index))
    }

    /// Starts a process on a machine that has none; the machine is turned on if it is off.
    pub(super) fn start(&mut self, index: usize) {
        let name = self.members[index].name.clone();
        let env =
            if self.sim.is_up(&name) { self.sim.node(&name) } else { self.sim.restart(&name) };
        let (tell, started) = oneshot::channel();
        let (stop, stopping) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let layers = self.layers(index);
        env.spawn("node", serve(env.clone(), layers, tell, stopping, ended));
        self.members[index].process = Process::Starting(started);
        self.members[index].stop = Some((stop, end));
    }

    /// Ends what runs there, if anything, and starts it again.
    pub(super) fn restart(&mut self, index: usize) {
        if self.is_up(index) {
            self.kill(index);
        }
        self.start(index);
    }

    pub(super) fn kill(&mut self, index: usize) {
        if !self.is_up(index) {
            return;
        }
        self.kills += 1;
        self.sim.kill(self.name(index));
        self.down(index);
    }

    pub(super) fn power_cut(&mut self, index: usize, plan: Option<&LossPlan>) {
        if !self.is_up(index) {
            return;
        }
        self.cuts += 1;
        let name = self.name(index);
        match plan {
            Some(plan) => self.sim.power_cut_with(name, plan),
            None => self.sim.power_cut(name),
        }
        self.down(index);
    }

    /// The machine went down by itself.
    pub(super) fn down(&mut self, index: usize) {
        self.members[index].process = Process::None;
        self.members[index].stop = None;
    }

    /// Lets the process stop in order; it is killed if it does not.
    pub(super) async fn stop(&mut self, index: usize) {
        if let Some((stop, end)) = self.members[index].stop.take() {
            let _ = stop.send(());
            let down = self.sim.until_down(self.name(index));
            tokio::select! {
                biased;
                () = down => {}
                _ = end => {}
                () = self.sim.sleep(STOP_LIMIT) => {}
            }
        }
        self.kill(index);
    }

    /// Whether the node serves; says why it will not, if it refused.
    pub(super) fn serves(&mut self, index: usize) -> Result<bool, String> {
        let member = &mut self.members[index];
        if let Process::Starting(started) = &mut member.process {
            match started.try_recv() {
                Ok(Ok(())) => member.process = Process::Serving,
                Ok(Err(text)) => member.process = Process::Refused(text),
                Err(oneshot::error::TryRecvError::Closed) => {
                    member.process = Process::Refused("the start was dropped".to_owned());
                }
                Err(oneshot::error::TryRecvError::Empty) => {}
            }
        }
        match &member.process {
            Process::Refused(text) => Err(text.clone()),
            process => Ok(matches!(process, Process::Serving)),
        }
    }

    fn layers(&self, index: usize) -> Layers {
        let nodes = self.members.len();
        let own = self.addresses[index].ip();
        let voters = (1..=nodes)
            .map(|id| format!("{id}@{}:{CONTROLLER_PORT}", self.addresses[id - 1].ip()))
            .collect::<Vec<_>>()
            .join(",");
        let copies = nodes.min(3).to_string();
        let id = (index + 1).to_string();
        let advertised = format!("PLAINTEXT://{own}:{PORT}");
        let mut settings = vec![
            ("node.id", id),
            ("log.dirs", "/data".to_owned()),
            ("offsets.topic.num.partitions", "2".to_owned()),
            ("offsets.topic.replication.factor", copies.clone()),
            ("default.replication.factor", copies),
            ("auto.create.topics.enable", "false".to_owned()),
            ("log.retention.check.interval.ms", "1000".to_owned()),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("ottla.flush", self.flush.word().to_owned()),
        ];
        if nodes == 1 {
            settings.push(("listeners", format!("PLAINTEXT://0.0.0.0:{PORT}")));
        } else {
            let listeners = format!("PLAINTEXT://0.0.0.0:{PORT},CONTROLLER://0.0.0.0:9093");
            settings.extend([
                ("process.roles", "broker,controller".to_owned()),
                ("listeners", listeners),
                ("controller.listener.names", "CONTROLLER".to_owned()),
                ("controller.quorum.voters", voters),
                ("min.insync.replicas", nodes.min(2).to_string()),
            ]);
        }
        settings.push(("advertised.listeners", advertised));
        Layers::new(settings.into_iter().map(|(key, value)| Setting::flag(key, value)))
    }
}

/// Runs until the machine goes down, or a stop is asked for.
#[allow(clippy::manual_async_fn)] // The bound is what the concrete caller needs.
fn serve<E: Env>(
    env: E,
    layers: Layers,
    started: oneshot::Sender<Result<(), String>>,
    stopping: oneshot::Receiver<()>,
    ended: oneshot::Sender<()>,
) -> impl Future<Output = ()> + Send {
    async move {
        match Broker::start(env, layers).await {
            Ok(broker) => {
                let _ = started.send(Ok(()));
                if stopping.await.is_ok() {
                    broker.shutdown().await;
                    let _ = ended.send(());
                }
            }
            Err(error) => {
                let _ = started.send(Err(error.to_string()));
            }
        }
    }
}

/// A client's machine.
pub(super) fn client(sim: &Sim, number: usize) -> SimEnv {
    sim.node(&client_name(number))
}

pub(super) fn client_name(number: usize) -> String {
    format!("c{number}")
}
