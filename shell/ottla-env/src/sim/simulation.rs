//! [`Sim`]: the world as its test sees it. Machines, their deaths and their wires.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;

use super::core::{Core, Limits, Next, Node, World, poll_once};
use super::disk::{LossPlan, SimDisk};
use super::env::{SimEnv, SimSleep};
use super::network::NodeId;
use super::random::Random;
use super::trace::Trace;
use crate::time::MonoTime;

/// Virtual time one [`Sim::block_on`] may take; more means that something never ends.
const TIME_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// Addresses there are.
const NODES_MAX: usize = 200;
/// Names of waiting tasks in a report of a standstill.
const WAITING_SHOWN: usize = 12;

/// A world. Dropping it drops every task.
pub struct Sim {
    core: Arc<Core>,
}

impl Sim {
    /// An empty world.
    pub fn new(seed: u64) -> Sim {
        Sim { core: Arc::new(Core::new(seed)) }
    }

    /// The seed it was made from.
    pub fn seed(&self) -> u64 {
        self.core.lock().seed
    }

    /// The machine of that name, made with an empty disk if there is none.
    pub fn node(&self, name: &str) -> SimEnv {
        match self.find(name) {
            Some(node) => SimEnv::new(self.core.clone(), node),
            None => {
                let seed = self.core.lock().random.next_u64();
                self.node_on(name, SimDisk::new(seed))
            }
        }
    }

    /// A new machine with this disk in it.
    ///
    /// # Panics
    /// If the name is taken, or there are too many.
    pub fn node_on(&self, name: &str, disk: SimDisk) -> SimEnv {
        assert!(self.find(name).is_none(), "there is a machine called {name} already");
        let mut world = self.core.lock();
        assert!(world.nodes.len() < NODES_MAX, "{NODES_MAX} machines are enough");
        let node = NodeId(world.nodes.len() as u8);
        let clock = disk.lock_live().clock.clone();
        {
            let mut live = disk.lock_live();
            live.random = Random::new(world.random.next_u64());
            live.watch = world.tripped.clone();
        }
        let (up, _) = watch::channel(true);
        let name = name.to_owned();
        let (skew_ms, drift_ppm) = (0, 0);
        let node_state =
            Node { name, disk, process: 0, up, skew_ms, drift_ppm, clock, paused: None };
        world.nodes.push(node_state);
        world.set_clocks();
        drop(world);
        SimEnv::new(self.core.clone(), node)
    }

    /// A machine's disk.
    pub fn disk(&self, name: &str) -> SimDisk {
        let node = self.named(name);
        self.core.lock().node(node).disk.clone()
    }

    /// The process dies; the machine, its page cache and its connections' ends live on.
    pub fn kill(&self, name: &str) {
        let node = self.named(name);
        self.go_down(node);
        self.core.abort_all(Some(node));
        self.end_process(node, &LossPlan::kill());
    }

    /// The power goes; what was not durable is lost by the seed. Peers are told nothing.
    pub fn power_cut(&self, name: &str) {
        let seed = self.core.lock().random.next_u64();
        self.power_cut_with(name, &LossPlan::seeded(seed));
    }

    /// The power goes; what was not durable is lost by `plan`.
    pub fn power_cut_with(&self, name: &str, plan: &LossPlan) {
        let node = self.named(name);
        self.go_down(node);
        self.core.lock().network.silence(node);
        self.core.abort_all(Some(node));
        self.end_process(node, plan);
    }

    /// The power goes while the machine's disk carries out effect number `after` from now (0 is the
    /// next): that effect may be there, not there, or torn.
    pub fn cut_power_at_effect(&self, name: &str, after: u64) {
        self.disk(name).cut_power_at(after);
    }

    /// Undoes [`Sim::cut_power_at_effect`], if it has not happened yet.
    pub fn keep_power(&self, name: &str) {
        self.disk(name).keep_power();
    }

    /// The machine starts again on the same disk.
    ///
    /// # Panics
    /// If it is up.
    pub fn restart(&self, name: &str) -> SimEnv {
        let node = self.named(name);
        {
            let mut world = self.core.lock();
            let node = world.node(node);
            assert!(!*node.up.borrow(), "{name} is up");
            node.up.send_replace(true);
        }
        SimEnv::new(self.core.clone(), node)
    }

    /// Whether the machine runs.
    pub fn is_up(&self, name: &str) -> bool {
        let node = self.named(name);
        *self.core.lock().node(node).up.borrow()
    }

    /// Completes when the machine is down.
    pub fn until_down(&self, name: &str) -> impl Future<Output = ()> + Send + use<> {
        let node = self.named(name);
        let mut up = self.core.lock().node(node).up.subscribe();
        async move {
            // An error means that the world ended.
            let _ = up.wait_for(|up| !up).await;
        }
    }

    /// Nothing passes between the two, either way. Connections stand and wait.
    pub fn cut(&self, one: &str, other: &str) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// Nothing passes from one to the other.
    pub fn cut_one_way(&self, from: &str, to: &str) {
        let (from, to) = (self.named(from), self.named(to));
        self.core.lock().network.cut(from, to);
    }

    /// Undoes [`Sim::cut`] and [`Sim::cut_one_way`].
    pub fn heal(&self, one: &str, other: &str) {
        self.heal_one_way(one, other);
        self.heal_one_way(other, one);
    }

    /// Undoes [`Sim::cut_one_way`].
    pub fn heal_one_way(&self, from: &str, to: &str) {
        let (from, to) = (self.named(from), self.named(to));
        let mut world = self.core.lock();
        let World { network, random, now, .. } = &mut *world;
        network.heal(from, to, *now, random);
    }

    /// Every connection between the two breaks; both ends see a reset.
    pub fn reset_connections(&self, one: &str, other: &str) {
        let (one, other) = (self.named(one), self.named(other));
        self.core.lock().network.reset_between(one, other);
    }

    /// How long a packet takes between two machines.
    pub fn set_network_delay(&self, min: Duration, max: Duration) {
        self.core.lock().network.manner.delay = (min, max.max(min));
    }

    /// How many reads and writes of a hundred move only part of what they could (10 at first).
    pub fn set_chopping(&self, percent: u64) {
        self.core.lock().network.manner.chop_percent = percent;
    }

    /// Sets a machine's wall clock forward or back.
    pub fn jump_wall_clock(&self, name: &str, ms: i64) {
        let node = self.named(name);
        let mut world = self.core.lock();
        world.node(node).skew_ms += ms;
        world.set_clocks();
    }

    /// A machine's wall clock is fast (or slow) by so many millionths from the world's beginning on.
    pub fn set_drift(&self, name: &str, ppm: i64) {
        let node = self.named(name);
        let mut world = self.core.lock();
        world.node(node).drift_ppm = ppm;
        world.set_clocks();
    }

    /// How long a packet takes on one link, in this direction; `None`: as on all others.
    pub fn set_link_delay(&self, from: &str, to: &str, delay: Option<(Duration, Duration)>) {
        let link = (self.named(from), self.named(to));
        self.core.lock().network.set_link_delay(link, delay);
    }

    /// Nothing on the machine runs any more, as after SIGSTOP. The network goes on.
    pub fn pause(&self, name: &str) {
        let node = self.named(name);
        let mut world = self.core.lock();
        world.node(node).paused.get_or_insert_default();
    }

    /// A paused machine goes on where it was.
    pub fn resume(&self, name: &str) {
        let node = self.named(name);
        self.core.resume(node);
    }

    /// From now on a run panics after so much virtual time, or so many steps: what never ends, or
    /// spins without an end, is a failure.
    pub fn set_limits(&self, time: Duration, steps: u64) {
        let mut world = self.core.lock();
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        world.limits = Limits {
            now: world.now.saturating_add(nanos),
            steps: world.steps.saturating_add(steps),
        };
    }

    /// Tasks polled so far.
    pub fn steps(&self) -> u64 {
        self.core.lock().steps
    }

    /// Virtual time.
    pub fn now(&self) -> MonoTime {
        MonoTime(self.core.lock().now)
    }

    /// Completes after `duration`, for the script of a test.
    pub fn sleep(&self, duration: Duration) -> SimSleep {
        let at = self.now() + duration;
        SimSleep::new(self.core.clone(), at.0)
    }

    /// Lets `duration` pass.
    pub fn advance(&self, duration: Duration) {
        self.block_on(self.sleep(duration));
    }

    /// A random number from the seed, for the script of a test.
    pub fn random_below(&self, limit: u64) -> u64 {
        self.core.lock().random.below(limit)
    }

    /// A hash over every step, packet and effect so far.
    pub fn trace_hash(&self) -> u64 {
        let world = self.core.lock();
        let mut trace: Trace = world.trace;
        for node in &world.nodes {
            trace.add(node.disk.lock_live().trace.hash());
        }
        trace.hash()
    }

    /// Runs the world until `future`, the test's script, ends. The script belongs to no machine.
    ///
    /// # Panics
    /// If nothing can run any more, if a day passes, or if a task panics.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut script = pin!(future);
        let (own, waker, wakeup) = self.core.foreign_task();
        let before = self.limit_day();
        loop {
            match self.core.next() {
                Next::Run(id) if id == own => {
                    wakeup.clear();
                    if let Poll::Ready(output) = poll_once(script.as_mut(), &waker) {
                        self.core.lock().limits.now = before;
                        return output;
                    }
                }
                Next::Run(id) => self.core.run(id),
                Next::Stuck => self.panic_stuck(),
                Next::Over => self.panic_over(),
            }
            if self.core.take_tripped() {
                self.cut_tripped();
            }
        }
    }

    /// No run takes longer than a day, whatever its own limit; returns that.
    fn limit_day(&self) -> u64 {
        let mut world = self.core.lock();
        let day = (MonoTime(world.now) + TIME_LIMIT).0;
        let own = world.limits.now;
        world.limits.now = own.min(day);
        own
    }

    fn panic_over(&self) -> ! {
        let (now, steps, limits, seed) = {
            let world = self.core.lock();
            (world.now, world.steps, world.limits, world.seed)
        };
        assert!(now <= limits.now, "seed {seed}: the time of a run has passed, no end in sight");
        panic!("seed {seed}: {steps} steps, no end in sight; {}", self.core.busiest());
    }

    fn panic_stuck(&self) -> ! {
        let waiting = self.core.waiting();
        let shown = waiting[..waiting.len().min(WAITING_SHOWN)].join(", ");
        panic!(
            "seed {}: nothing can run any more; {} tasks wait: {shown}",
            self.seed(),
            waiting.len()
        );
    }

    /// Carries out the power cuts that disks have come upon.
    fn cut_tripped(&self) {
        let tripped = |node: &Node| node.disk.lost_power().then(|| node.name.clone());
        let names: Vec<String> = self.core.lock().nodes.iter().filter_map(tripped).collect();
        for name in names {
            self.power_cut(&name);
        }
    }

    fn go_down(&self, node: NodeId) {
        let mut world = self.core.lock();
        let node = world.node(node);
        node.process += 1;
        node.paused = None;
        node.up.send_replace(false);
    }

    fn end_process(&self, node: NodeId, plan: &LossPlan) {
        let mut world = self.core.lock();
        let node = world.node(node);
        node.disk = node.disk.next_process(plan);
    }

    fn named(&self, name: &str) -> NodeId {
        self.find(name).unwrap_or_else(|| panic!("no machine is called {name}"))
    }

    fn find(&self, name: &str) -> Option<NodeId> {
        let world = self.core.lock();
        let index = world.nodes.iter().position(|node| node.name == name)?;
        Some(NodeId(index as u8))
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        for node in &mut self.core.lock().nodes {
            node.process += 1;
            node.up.send_replace(false);
        }
        self.core.abort_all(None);
    }
}
