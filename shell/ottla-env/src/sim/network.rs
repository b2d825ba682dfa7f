//! The wires: who listens, what is under way, which links are cut. Plain state; time and chance
//! come as arguments.

mod listeners;
mod pipe;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::random::Random;

pub(super) use listeners::{Arrival, Listeners};
pub(super) use pipe::{Pipe, Readiness};

/// A machine, in the order they were made; its address is 10.0.0.(number + 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(pub(super) u8);

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PipeId(pub(super) u64);

/// Bytes a direction holds before its writer must wait.
const CAPACITY: (u64, u64) = (16 * 1024, 256 * 1024);

/// How the network treats what is sent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// A packet's way between two machines.
    pub(super) delay: (Duration, Duration),
    /// How many reads and writes of a hundred move only part of what they could.
    pub(super) chop_percent: u64,
}

/// Everything on the wires.
pub(super) struct Network {
    pub(super) listeners: Listeners,
    /// By number; a connection that is done leaves its place empty.
    pipes: Vec<Option<Box<Pipe>>>,
    /// Directed links that carry nothing.
    cuts: BTreeSet<(NodeId, NodeId)>,
    pub(super) manner: Manner,
    /// Links slower than the rest.
    slow: BTreeMap<(NodeId, NodeId), (Duration, Duration)>,
}

impl Network {
    pub(super) fn new() -> Network {
        Network {
            listeners: Listeners::default(),
            pipes: Vec::new(),
            cuts: BTreeSet::new(),
            manner: Manner {
                delay: (Duration::from_micros(50), Duration::from_micros(500)),
                chop_percent: 10,
            },
            slow: BTreeMap::new(),
        }
    }

    /// How long a packet takes; within a machine a tenth of that.
    pub(super) fn delay(&self, from: NodeId, to: NodeId, random: &mut Random) -> u64 {
        let (min, max) = self.slow.get(&(from, to)).copied().unwrap_or(self.manner.delay);
        let nanos = random.between(min.as_nanos() as u64, max.as_nanos() as u64);
        if from == to { nanos / 10 } else { nanos }
    }

    pub(super) fn is_cut(&self, from: NodeId, to: NodeId) -> bool {
        self.cuts.contains(&(from, to))
    }

    /// Both directions of a new connection: from `near` to `far`, and back.
    pub(super) fn connect(
        &mut self,
        near: NodeId,
        far: NodeId,
        random: &mut Random,
    ) -> (PipeId, PipeId) {
        let there = PipeId(self.pipes.len() as u64);
        let back = PipeId(there.0 + 1);
        let capacity = random.between(CAPACITY.0, CAPACITY.1) as usize;
        let ends = [Pipe::new(near, far, back, capacity), Pipe::new(far, near, there, capacity)];
        self.pipes.extend(ends.map(|pipe| Some(Box::new(pipe))));
        (there, back)
    }

    pub(super) fn pipe(&mut self, id: PipeId) -> Option<&mut Pipe> {
        self.pipes.get_mut(id.0 as usize)?.as_deref_mut()
    }

    fn all(&mut self) -> impl Iterator<Item = &mut Pipe> {
        self.pipes.iter_mut().flatten().map(|pipe| &mut **pipe)
    }

    /// Breaks a connection: both ends see a reset.
    pub(super) fn reset(&mut self, id: PipeId) {
        let Some(pipe) = self.pipe(id) else { return };
        let back = pipe.back;
        pipe.reset();
        if let Some(pipe) = self.pipe(back) {
            pipe.reset();
        }
    }

    /// Breaks every connection between two machines.
    pub(super) fn reset_between(&mut self, one: NodeId, other: NodeId) {
        for pipe in self.all() {
            if (pipe.from, pipe.to) == (one, other) || (pipe.from, pipe.to) == (other, one) {
                pipe.reset();
            }
        }
    }

    pub(super) fn set_link_delay(
        &mut self,
        link: (NodeId, NodeId),
        delay: Option<(Duration, Duration)>,
    ) {
        match delay {
            Some((min, max)) => self.slow.insert(link, (min, max.max(min))),
            None => self.slow.remove(&link),
        };
    }

    pub(super) fn cut(&mut self, from: NodeId, to: NodeId) {
        self.cuts.insert((from, to));
    }

    /// The link carries again; what was held up comes after a fresh delay.
    pub(super) fn heal(&mut self, from: NodeId, to: NodeId, now: u64, random: &mut Random) {
        if !self.cuts.remove(&(from, to)) {
            return;
        }
        let delay = self.delay(from, to, random);
        for pipe in self.all().filter(|pipe| (pipe.from, pipe.to) == (from, to)) {
            pipe.delay_until(now + delay);
        }
    }

    /// A machine loses power: its ends are silent from now on, nobody is told.
    pub(super) fn silence(&mut self, node: NodeId) {
        self.listeners.remove_node(node);
        for pipe in self.all() {
            pipe.silence(node);
        }
        self.forget_done();
    }

    pub(super) fn close_reader(&mut self, id: PipeId) {
        if let Some(pipe) = self.pipe(id) {
            pipe.close_reader();
            self.forget_if_done(id);
        }
    }

    pub(super) fn close_writer(&mut self, id: PipeId, now: u64, random: &mut Random) {
        let Some(pipe) = self.pipe(id) else { return };
        let (from, to) = (pipe.from, pipe.to);
        let delay = self.delay(from, to, random);
        if let Some(pipe) = self.pipe(id) {
            pipe.close_writer(now + delay);
            self.forget_if_done(id);
        }
    }

    fn forget_if_done(&mut self, id: PipeId) {
        if let Some(place) = self.pipes.get_mut(id.0 as usize) {
            place.take_if(|pipe| pipe.is_done());
        }
    }

    fn forget_done(&mut self) {
        for place in &mut self.pipes {
            place.take_if(|pipe| pipe.is_done());
        }
    }
}
