//! Fetch sessions (KIP-227): what a client reads is remembered between its requests, so that
//! requests and answers name only what changed. The cache of sessions is bounded; a client without
//! one names everything each time.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use ottla_env::MonoTime;
use ottla_protocol::{ErrorCode, Str, Uuid};
use parking_lot::Mutex;

/// A session in use keeps its place in a full cache this long: Kafka's
/// `min.incremental.fetch.session.eviction.ms`.
const KEPT_MIN: Duration = Duration::from_secs(120);
/// The id of no session.
pub(crate) const NO_SESSION: i32 = 0;
/// The epoch of a client that wants no session, or no longer.
const FINAL_EPOCH: i32 = -1;
/// The epoch of a client that asks for a session.
const INITIAL_EPOCH: i32 = 0;

/// Which partition: by name before v13, by id since.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct InterestKey {
    pub(crate) topic: Str,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
}

/// What a client wants of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) fetch_offset: i64,
    pub(crate) max_bytes: i32,
    /// -1 where the client does not say.
    pub(crate) current_leader_epoch: i32,
    /// -1 where the client does not say.
    pub(crate) last_fetched_epoch: i32,
    /// Of a follower's log; -1 from a consumer.
    pub(crate) log_start_offset: i64,
    /// What the client was last told; nothing after an error.
    pub(crate) told: Option<Told>,
}

/// Offsets that are sent again only when they move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) high_watermark: i64,
    pub(crate) log_start_offset: i64,
}

/// Everything a client wants, in the order it said so.
pub(crate) type Interests = IndexMap<InterestKey, Interest>;

/// What a request says about its session.
pub(crate) struct SessionRequest {
    pub(crate) id: i32,
    pub(crate) epoch: i32,
    /// Since v13 topics are named by id, and a session stays with what it began with.
    pub(crate) uses_topic_ids: bool,
    pub(crate) added: Interests,
    pub(crate) forgotten: Vec<InterestKey>,
}

/// Whose turn it is to be answered, and about what.
pub(crate) enum Turn {
    /// A request on its own.
    Alone(Interests),
    /// The first of a session, if the cache has room for one.
    First(Interests, bool),
    /// A further one.
    Next(Lease),
}

impl Turn {
    pub(crate) fn interests(&mut self) -> &mut Interests {
        match self {
            Turn::Alone(interests) | Turn::First(interests, _) => interests,
            Turn::Next(lease) => &mut lease.interests,
        }
    }

    /// Where to begin, so that a full answer does not starve the same partitions each time.
    pub(crate) fn start(&self) -> usize {
        match self {
            Turn::Alone(_) | Turn::First(..) => 0,
            Turn::Next(lease) => lease.start.min(lease.interests.len().saturating_sub(1)),
        }
    }

    /// Whether only what changed is answered.
    pub(crate) fn is_incremental(&self) -> bool {
        matches!(self, Turn::Next(_))
    }
}

/// One client's session.
pub(crate) struct Session {
    id: i32,
    /// The epoch its next request has to have.
    epoch: i32,
    uses_topic_ids: bool,
    pub(crate) interests: Interests,
    /// The next answer begins here.
    pub(crate) start: usize,
}

impl Session {
    pub(crate) fn id(&self) -> i32 {
        self.id
    }
}

/// A session while a request of it is served; goes back when dropped. No lock is held meanwhile.
pub(crate) struct Lease {
    sessions: Arc<Sessions>,
    session: Option<Box<Session>>,
}

impl Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        self.session.as_ref().expect("a lease has its session until it is dropped")
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Session {
        self.session.as_mut().expect("a lease has its session until it is dropped")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let mut slots = self.sessions.slots.lock();
        // The session may have been closed or evicted meanwhile.
        if let Some(slot) = slots.by_id.get_mut(&session.id) {
            slot.size = session.interests.len();
            slot.session = Some(session);
        }
    }
}

/// The node's cache of sessions.
pub(crate) struct Sessions {
    slots: Mutex<Slots>,
}

struct Slots {
    /// `max.incremental.fetch.session.cache.slots`
    capacity: usize,
    by_id: HashMap<i32, Slot>,
}

struct Slot {
    /// Nothing while a request is served.
    session: Option<Box<Session>>,
    size: usize,
    created_at: MonoTime,
    used_at: MonoTime,
}

impl Sessions {
    pub(crate) fn new(capacity: usize) -> Arc<Sessions> {
        Arc::new(Sessions { slots: Mutex::new(Slots { capacity, by_id: HashMap::new() }) })
    }

    /// What a request is about; an error is the answer to the whole request.
    pub(crate) fn turn(
        self: &Arc<Self>,
        request: SessionRequest,
        now: MonoTime,
    ) -> Result<Turn, ErrorCode> {
        if request.epoch == FINAL_EPOCH || request.epoch == INITIAL_EPOCH {
            if request.id != NO_SESSION {
                self.close(request.id);
            }
            return Ok(match request.epoch {
                FINAL_EPOCH => Turn::Alone(request.added),
                _ => Turn::First(request.added, request.uses_topic_ids),
            });
        }
        let mut session = self.take(&request, now)?;
        session.epoch = if session.epoch == i32::MAX { 1 } else { session.epoch + 1 };
        for (key, interest) in request.added {
            match session.interests.get_mut(&key) {
                Some(known) => *known = Interest { told: known.told, ..interest },
                None => {
                    session.interests.insert(key, interest);
                }
            }
        }
        for key in &request.forgotten {
            session.interests.shift_remove(key);
        }
        if session.interests.is_empty() {
            self.close(session.id);
            return Ok(Turn::Alone(Interests::new()));
        }
        Ok(Turn::Next(Lease { sessions: Arc::clone(self), session: Some(session) }))
    }

    /// Gives a client a session of its own; [`NO_SESSION`] if the cache is full.
    pub(crate) fn create(
        &self,
        interests: Interests,
        uses_topic_ids: bool,
        now: MonoTime,
        random: impl Fn() -> u64,
    ) -> i32 {
        let mut slots = self.slots.lock();
        let size = interests.len();
        if size == 0 || !slots.make_room(size, now) {
            return NO_SESSION;
        }
        let id = slots.free_id(random);
        let session = Session { id, epoch: 1, uses_topic_ids, interests, start: 0 };
        let session = Some(Box::new(session));
        slots.by_id.insert(id, Slot { session, size, created_at: now, used_at: now });
        id
    }

    /// Ends a session, known or not.
    pub(crate) fn close(&self, id: i32) {
        self.slots.lock().by_id.remove(&id);
    }

    /// Changes how many sessions there may be; too many go as new ones come.
    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.slots.lock().capacity = capacity;
    }

    /// Sessions in the cache.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.lock().by_id.len()
    }

    fn take(&self, request: &SessionRequest, now: MonoTime) -> Result<Box<Session>, ErrorCode> {
        let mut slots = self.slots.lock();
        let slot = slots.by_id.get_mut(&request.id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        // In use: the same request is being served on another connection.
        let session = slot.session.as_ref().ok_or(ErrorCode::InvalidFetchSessionEpoch)?;
        if session.epoch != request.epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_topic_ids != request.uses_topic_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        slot.used_at = now;
        slot.session.take().ok_or(ErrorCode::InvalidFetchSessionEpoch)
    }
}

impl Slots {
    /// Evicts one session if there are too many: one out of use, or one smaller than the new one.
    fn make_room(&mut self, size: usize, now: MonoTime) -> bool {
        if self.by_id.len() < self.capacity {
            return true;
        }
        let unused = self.by_id.iter().min_by_key(|(_, slot)| slot.used_at);
        let unused = unused.filter(|(_, slot)| now.since(slot.used_at) > KEPT_MIN);
        let smaller = || {
            let old = self.by_id.iter().filter(|(_, slot)| now.since(slot.created_at) > KEPT_MIN);
            old.min_by_key(|(_, slot)| slot.size).filter(|(_, slot)| slot.size < size)
        };
        match unused.or_else(smaller).map(|(id, _)| *id) {
            Some(id) => {
                self.by_id.remove(&id);
                self.by_id.len() < self.capacity
            }
            None => false,
        }
    }

    fn free_id(&self, random: impl Fn() -> u64) -> i32 {
        loop {
            let id = i32::try_from(random() & 0x7fff_ffff).unwrap_or(1);
            if id != NO_SESSION && !self.by_id.contains_key(&id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests;
