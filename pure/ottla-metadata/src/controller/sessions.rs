//! `Sessions`: which brokers were heard of lately, and how far each has read the metadata. Lost with
//! the process: a new controller gives everybody a fresh session.

use std::collections::BTreeMap;

use crate::image::{Broker, Brokers};

/// What the controller knows of a broker besides the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Session {
    /// Of which life of the broker.
    epoch: i64,
    last_contact_ms: i64,
    /// The last record of the metadata log that the broker has applied; -1 before it said so.
    metadata_offset: i64,
    /// The broker may stop once every other broker has applied this.
    shutdown_offset: Option<i64>,
    /// It runs in this process: it can not be gone while we are not.
    is_own: bool,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Sessions {
    by_broker: BTreeMap<i32, Session>,
}

impl Sessions {
    /// Follows the registrations: a broker that is new here, or has a new life, was heard of now.
    pub(super) fn follow(&mut self, brokers: &Brokers, now_ms: i64) {
        self.by_broker.retain(|id, session| {
            brokers.get(*id).is_some_and(|broker| broker.epoch == session.epoch)
        });
        for broker in brokers.iter() {
            self.by_broker.entry(broker.id).or_insert_with(|| Session::fresh(broker, now_ms));
        }
    }

    /// A registration that is about to be written.
    pub(super) fn begin(&mut self, id: i32, epoch: i64, now_ms: i64, is_own: bool) {
        let session = Session {
            epoch,
            last_contact_ms: now_ms,
            metadata_offset: -1,
            shutdown_offset: None,
            is_own,
        };
        self.by_broker.insert(id, session);
    }

    pub(super) fn touch(&mut self, id: i32, now_ms: i64, metadata_offset: i64, fenced: bool) {
        if let Some(session) = self.by_broker.get_mut(&id) {
            session.last_contact_ms = now_ms;
            session.metadata_offset = metadata_offset;
            if fenced {
                session.shutdown_offset = None;
            }
        }
    }

    /// Whether the broker runs in this process.
    pub(super) fn is_own(&self, id: i32) -> bool {
        self.by_broker.get(&id).is_some_and(|session| session.is_own)
    }

    /// The broker said goodbye: whoever registers under its number need not wait.
    pub(super) fn end(&mut self, id: i32) {
        if let Some(session) = self.by_broker.get_mut(&id) {
            session.last_contact_ms = i64::MIN / 2;
        }
    }

    pub(super) fn begin_shutdown(&mut self, id: i32, offset: i64) {
        if let Some(session) = self.by_broker.get_mut(&id) {
            session.shutdown_offset.get_or_insert(offset);
        }
    }

    pub(super) fn shutdown_offset(&self, id: i32) -> Option<i64> {
        self.by_broker.get(&id)?.shutdown_offset
    }

    pub(super) fn is_live(&self, id: i32, now_ms: i64, timeout_ms: i64) -> bool {
        self.by_broker.get(&id).is_some_and(|session| session.is_live(now_ms, timeout_ms))
    }

    /// How far the active broker is that has read the least; beyond every offset where none is.
    pub(super) fn lowest_active_offset(&self, brokers: &Brokers) -> i64 {
        let active = brokers.iter().filter(|broker| broker.is_active());
        let offset =
            |broker: &Broker| self.by_broker.get(&broker.id).map_or(-1, |s| s.metadata_offset);
        active.map(offset).min().unwrap_or(i64::MAX)
    }

    /// The unfenced broker that was silent the longest, if that is too long.
    pub(super) fn expired(&self, brokers: &Brokers, now_ms: i64, timeout_ms: i64) -> Option<i32> {
        let (id, session) = self.oldest(brokers)?;
        (!session.is_live(now_ms, timeout_ms)).then_some(id)
    }

    /// When the next session expires if nothing is heard.
    pub(super) fn deadline_ms(&self, brokers: &Brokers, timeout_ms: i64) -> Option<i64> {
        let (_, session) = self.oldest(brokers)?;
        Some(session.last_contact_ms.saturating_add(timeout_ms).saturating_add(1))
    }

    fn oldest(&self, brokers: &Brokers) -> Option<(i32, &Session)> {
        let unfenced = brokers.iter().filter(|broker| !broker.fenced);
        let sessions =
            unfenced.filter_map(|broker| Some((broker.id, self.by_broker.get(&broker.id)?)));
        sessions.filter(|(_, session)| !session.is_own).min_by_key(|(_, s)| s.last_contact_ms)
    }
}

impl Session {
    fn fresh(broker: &Broker, now_ms: i64) -> Self {
        Self {
            epoch: broker.epoch,
            last_contact_ms: now_ms,
            metadata_offset: -1,
            shutdown_offset: None,
            is_own: false,
        }
    }

    fn is_live(&self, now_ms: i64, timeout_ms: i64) -> bool {
        self.is_own || self.last_contact_ms.saturating_add(timeout_ms) >= now_ms
    }
}
