//! The machines that nodes run on: one alone, or a cluster of nodes that are broker and controller, or of
//! some that are this and some that are that.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use ottla_broker::Broker;
use ottla_config::{Layers, Setting};
use ottla_env::Env;
use ottla_env::sim::{LossPlan, Sim, SimDisk, SimEnv};
use tokio::sync::oneshot;

use super::choice::{Choice, Moves};
use crate::node::{Flush, PORT};

/// A node's data directory.
pub(super) const DATA: &str = "/data";
/// Its second one, where it has two.
pub(super) const MORE: &str = "/more";
/// Where controllers listen.
const CONTROLLER_PORT: u16 = 9093;
/// How fast replicas are copied from one directory to another.
pub(super) const MOVE_RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";
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
    begins_at: Option<&'static str>,
    moves: Option<Moves>,
    /// The first so many nodes.
    brokers: usize,
    members: Vec<Member>,
    /// Where brokers take clients.
    addresses: Vec<SocketAddr>,
    pub(super) cuts: u32,
    pub(super) kills: u32,
}

impl<'a> Cluster<'a> {
    /// Machines with empty disks; nothing runs. Those that are controllers alone come last.
    pub(super) fn new(sim: &'a Sim, flush: Flush, choice: &Choice) -> Cluster<'a> {
        let names = (1..=choice.nodes).map(|number| format!("n{number}"));
        let names = names.chain((1..=choice.controllers).map(|number| format!("k{number}")));
        let member = |name| Member { name, process: Process::None, stop: None };
        let members: Vec<Member> = names.map(member).collect();
        let ips: Vec<_> = members.iter().map(|member| sim.node(&member.name).ip()).collect();
        let addresses = ips[..choice.nodes].iter().map(|ip| SocketAddr::new(*ip, PORT)).collect();
        let &Choice { nodes: brokers, begins_at, moves, .. } = choice;
        Cluster { sim, flush, begins_at, moves, brokers, members, addresses, cuts: 0, kills: 0 }
    }

    /// All nodes, whatever they are.
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

    /// Lets all processes stop in order, at the same time. Says whether all did.
    pub(super) async fn stop_all(&mut self) -> bool {
        let stops: Vec<_> =
            self.members.iter_mut().filter_map(|member| member.stop.take()).collect();
        let mut ends = Vec::new();
        for (stop, end) in stops {
            let _ = stop.send(());
            ends.push(end);
        }
        let ended = async {
            let mut all = true;
            for end in ends {
                all &= end.await.is_ok();
            }
            all
        };
        let all = tokio::select! {
            biased;
            all = ended => all,
            () = self.sim.sleep(STOP_LIMIT) => false,
        };
        (0..self.members.len()).for_each(|index| self.kill(index));
        all
    }

    /// A node's disk.
    pub(super) fn disk(&self, index: usize) -> SimDisk {
        self.sim.disk(self.name(index))
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

    /// The settings of a node: broker and controller, or one of them.
    fn layers(&self, index: usize) -> Layers {
        let copies = self.brokers.min(3).to_string();
        let mut settings = vec![
            ("node.id", (index + 1).to_string()),
            ("log.dirs", self.directories(index).join(",")),
            ("offsets.topic.num.partitions", "2".to_owned()),
            ("offsets.topic.replication.factor", copies.clone()),
            ("default.replication.factor", copies),
            ("auto.create.topics.enable", "false".to_owned()),
            ("log.retention.check.interval.ms", "1000".to_owned()),
            ("group.initial.rebalance.delay.ms", "0".to_owned()),
            ("ottla.flush", self.flush.word().to_owned()),
        ];
        let is_broker = index < self.brokers;
        let mut listeners = Vec::new();
        if is_broker {
            let own = self.sim.node(self.name(index)).ip();
            settings.push(("advertised.listeners", format!("PLAINTEXT://{own}:{PORT}")));
            listeners.push(format!("PLAINTEXT://0.0.0.0:{PORT}"));
        }
        if let Some(rate) = self.moves.and_then(|moves| moves.bytes_per_second) {
            settings.push((MOVE_RATE, rate.to_string()));
        }
        if self.members.len() > 1 {
            let is_controller = self.controllers().contains(&index);
            if is_controller {
                listeners.push(format!("CONTROLLER://0.0.0.0:{CONTROLLER_PORT}"));
            }
            let roles = match (is_broker, is_controller) {
                (true, true) => "broker,controller",
                (true, false) => "broker",
                _ => "controller",
            };
            settings.extend([
                ("process.roles", roles.to_owned()),
                ("controller.listener.names", "CONTROLLER".to_owned()),
                ("controller.quorum.voters", self.voters()),
                ("min.insync.replicas", self.brokers.min(2).to_string()),
            ]);
        }
        settings.push(("listeners", listeners.join(",")));
        settings.extend(self.begins_at.map(|name| ("ottla.metadata.version", name.to_owned())));
        Layers::new(settings.into_iter().map(|(key, value)| Setting::flag(key, value)))
    }

    /// Where a node keeps its logs; what is a controller alone has one place for them.
    pub(super) fn directories(&self, index: usize) -> &'static [&'static str] {
        let has_two = self.moves.is_some() && index < self.brokers;
        if has_two { &[DATA, MORE] } else { &[DATA] }
    }

    /// Which nodes vote: those that are nothing else, or all.
    fn controllers(&self) -> Range<usize> {
        let apart = self.brokers < self.members.len();
        if apart { self.brokers..self.members.len() } else { 0..self.members.len() }
    }

    fn voters(&self) -> String {
        let voter = |index: usize| {
            let ip = self.sim.node(self.name(index)).ip();
            format!("{}@{ip}:{CONTROLLER_PORT}", index + 1)
        };
        self.controllers().map(voter).collect::<Vec<_>>().join(",")
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
