//! `Levels`: where the state may still ask for records: because a batch was full, because what was
//! decided may not have been written, or because this controller is new and nobody knows. A mark is
//! taken off only by a pass that found nothing left: what follows from a loss is found in the state,
//! never remembered as an event.

use std::collections::BTreeSet;

use ottla_plant::{Plant, planted};

use crate::image::Brokers;

#[derive(Debug, Clone)]
pub(super) struct Levels {
    /// Nothing was looked at yet.
    is_new: bool,
    /// Brokers that are not active and may still be in an ISR or lead.
    departed: BTreeSet<i32>,
    /// A partition may be without a leader though somebody may lead it.
    pub(super) leaderless: bool,
}

impl Levels {
    /// Of a controller that took over: everything must be looked at.
    pub(super) fn unknown() -> Self {
        Self { is_new: true, departed: BTreeSet::new(), leaderless: true }
    }

    /// Marks what a new controller cannot know. Does nothing later.
    pub(super) fn look_around(&mut self, brokers: &Brokers) {
        if std::mem::take(&mut self.is_new) && !planted(Plant::FailoverForgotten) {
            let departed = brokers.iter().filter(|broker| !broker.is_active());
            self.departed.extend(departed.map(|broker| broker.id));
        }
    }

    pub(super) fn note(&mut self, broker: i32) {
        self.departed.insert(broker);
    }

    pub(super) fn forget(&mut self, broker: i32) {
        self.departed.remove(&broker);
    }

    /// A broker that must be looked at.
    pub(super) fn departed(&self) -> Option<i32> {
        self.departed.first().copied()
    }

    pub(super) fn is_due(&self) -> bool {
        self.is_new || self.leaderless || !self.departed.is_empty()
    }
}
