//! A metadata quorum of machines alone (`ottla-raft`): millions of steps a minute, a network that loses,
//! doubles, delays and cuts, disks that forget what was not synced, and every promise watched at each step.
//! First trouble, then quiet, in which a leader is found and all logs become equal.

mod disk;
mod trouble;
mod watchers;
mod world;

use ottla_env::sim::Random;
use ottla_judge::Violation;
use ottla_raft::{NodeId, RoleName};

use trouble::Trouble;
use world::{Manner, World};

/// Without faults a leader is found within this time, and its records reach everybody.
const ELECTION_MS: i64 = 30_000;
const SPREAD_MS: i64 = 10_000;

/// How a run went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// Broken promises; none, if all is well.
    pub violations: Vec<Violation>,
    /// What the seed enabled.
    pub choice: String,
    /// Records committed.
    pub committed: usize,
    pub crashes: u32,
    pub elections: i32,
    /// Virtual time.
    pub took_ms: u64,
    pub steps: u64,
    /// The run's fingerprint.
    pub trace_hash: u64,
}

/// Runs one seed.
pub fn run(seed: u64) -> Outcome {
    let mut random = Random::new(seed.rotate_left(32) ^ 0x7175_6f72_756d);
    let voters = [1, 2, 3, 3, 3, 5, 5][random.index(7)];
    let observers = random.below(3) as i32;
    let manner = Manner::new(&mut random);
    let mut trouble = Trouble::new(&mut random);
    let choice = format!("{voters} voters, {observers} observers, {manner:?}, {trouble:?}");
    let mut world = World::new(random, voters, observers, manner);
    trouble.make(&mut world);
    if world.watchers.is_content() {
        heal(&mut world);
    }
    Outcome {
        choice,
        committed: world.watchers.committed().len(),
        crashes: world.crashes,
        elections: world.watchers.epoch_max,
        took_ms: world.now_ms.unsigned_abs(),
        steps: world.steps,
        trace_hash: world.trace_hash(),
        violations: std::mem::take(&mut world.watchers.found),
    }
}

/// Without faults there is a leader, and what it takes reaches everybody.
fn heal(world: &mut World) {
    world.manner = Manner::QUIET;
    world.cut.clear();
    let all: Vec<NodeId> = world.nodes.keys().copied().collect();
    for id in &all {
        world.resume(*id);
        if world.nodes[id].raft.is_none() {
            world.start(*id);
        }
    }
    world.run(ELECTION_MS);
    let Some(leader) = world.leader() else {
        return world.watchers.liveness("nobody leads after all is well again".to_owned());
    };
    if !world.propose(leader, 3) {
        return world.watchers.liveness(format!("{leader} leads and takes no records"));
    }
    world.run(SPREAD_MS);
    if !world.watchers.is_content() {
        return;
    }
    let end = world.nodes[&leader].disk.end();
    for id in &all {
        let node = &world.nodes[id];
        let committed = node.raft.as_ref().map_or(-1, ottla_raft::Raft::committed);
        if committed != end {
            let state = node.raft.as_ref().map(|raft| (raft.role(), raft.election(), raft.log()));
            let text = format!("{id} knows {committed} of {end} committed records: {state:?}");
            world.watchers.liveness(text);
            return;
        }
    }
    let logs = world.nodes.iter().map(|(id, node)| (id.0, node.disk.history())).collect();
    world.watchers.equal(&logs);
    let leads =
        |node: &world::Node| node.raft.as_ref().is_some_and(|raft| raft.role() == RoleName::Leader);
    if world.nodes.values().filter(|node| leads(node)).count() != 1 {
        world.watchers.liveness("more than one replica leads after all is well".to_owned());
    }
}
