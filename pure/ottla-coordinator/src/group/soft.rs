//! What a shard knows besides its records: rebalances under way, and the timers. Never replicated.

use std::collections::BTreeMap;

use ottla_protocol::Str;

use crate::group::classic::ClassicGroup;
use crate::group::hard::Hard;
use crate::timers::Timers;

/// Made empty, filled by `Shard::start`, handed to `Shard::handle` each time.
#[derive(Debug, Default)]
pub struct Soft {
    pub(crate) groups: LiveGroups,
    pub(crate) timers: Timers,
}

impl Soft {
    /// The monotonic millisecond at which `Command::Timeout` has something to do.
    pub fn deadline(&self) -> Option<i64> {
        self.timers.deadline()
    }

    /// Every group that is more than its records.
    pub fn live_groups(&self) -> impl Iterator<Item = &ClassicGroup> {
        self.groups.live.values()
    }

    /// The live state of a group, if it has any.
    pub fn group(&self, group: &str) -> Option<&ClassicGroup> {
        self.groups.live.get(group)
    }
}

/// Groups that have members, or members to come. Those at rest are known to [`Hard`] alone.
#[derive(Debug, Default)]
pub(crate) struct LiveGroups {
    pub(crate) live: BTreeMap<Str, ClassicGroup>,
}

impl LiveGroups {
    /// The group as it is: live, or woken from its records.
    pub(crate) fn get_or_wake(&mut self, hard: &Hard, group: &Str) -> Option<&mut ClassicGroup> {
        if !self.live.contains_key(group) {
            let (id, metadata) = hard.groups().get_key_value(group)?;
            self.live.insert(id.clone(), ClassicGroup::from_metadata(id.clone(), metadata));
        }
        self.live.get_mut(group)
    }

    pub(crate) fn exists(&self, hard: &Hard, group: &str) -> bool {
        self.live.contains_key(group) || hard.groups().contains_key(group)
    }

    /// Lets a group that has nobody left rest in its records.
    pub(crate) fn forget_idle(&mut self, group: &str) {
        if self.live.get(group).is_some_and(ClassicGroup::is_idle) {
            self.live.remove(group);
        }
    }
}
