//! What a transition works with besides the group itself. Lives for one command.

use ottla_protocol::Str;

use crate::command::{Completion, Decision, Reply, Token};
use crate::now::Now;
use crate::record::CoordinatorRecord;
use crate::settings::GroupSettings;
use crate::timers::{Timer, Timers};

/// Time, limits, timers and the decision in the making.
pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) settings: &'a GroupSettings,
    pub(crate) timers: &'a mut Timers,
    pub(crate) decision: &'a mut Decision,
}

impl Step<'_> {
    pub(crate) fn complete(&mut self, token: Token, reply: Reply) {
        self.decision.completions.push(Completion { token, reply });
    }

    pub(crate) fn append(&mut self, group: &Str, record: CoordinatorRecord) {
        self.decision.records.push(record);
        if self.decision.groups.last() != Some(group) {
            self.decision.groups.push(group.clone());
        }
    }

    pub(crate) fn schedule(&mut self, timer: Timer, after_ms: i32) {
        self.timers.schedule(self.now, timer, i64::from(after_ms));
    }
}
