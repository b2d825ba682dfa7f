//! A broker of the partition: its machine, its disk, and what it knows of the controller's decisions.

use std::collections::BTreeMap;

use ottla_replica::{Follower, Leader};

use super::disk::Disk;
use super::world::Letter;

/// What the node is to the partition.
#[derive(Debug, Clone)]
pub(super) enum Role {
    /// It knows of no leader.
    None,
    Leader(Box<Leader>),
    Follower(Follower),
}

/// See the module's first line.
pub(super) struct Node {
    pub(super) up: bool,
    pub(super) paused: bool,
    /// What arrived while it was paused.
    pub(super) held: Vec<Letter>,
    pub(super) disk: Disk,
    pub(super) role: Role,
    /// Counts processes, and cuts of the log.
    pub(super) boot: u64,
    pub(super) life: u64,
    /// Of its registration.
    pub(super) broker_epoch: i64,
    /// Decisions it has taken in, of those told in this life.
    pub(super) seen: u64,
    /// A fetch is under way; its number. An older answer is not awaited.
    pub(super) awaits: Option<u64>,
    /// Records to be acknowledged: by their last offset, the epoch they were appended in and their values.
    pub(super) waiting: BTreeMap<i64, (i32, Vec<u64>)>,
}

impl Node {
    pub(super) fn new() -> Node {
        Node {
            up: false,
            paused: false,
            held: Vec::new(),
            disk: Disk::default(),
            role: Role::None,
            boot: 0,
            life: 0,
            broker_epoch: -1,
            seen: 0,
            awaits: None,
            waiting: BTreeMap::new(),
        }
    }

    pub(super) fn works(&self) -> bool {
        self.up && !self.paused
    }
}
