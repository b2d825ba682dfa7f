//! A follower's side of a fetch session (KIP-227): what the leader remembers of what was asked, so that
//! a request names only what has changed.

use std::collections::BTreeMap;

use ottla_env::Env;
use ottla_protocol::messages::FetchRequest;
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use ottla_protocol::{Str, Uuid};

use super::members::Due;
use crate::partition::office::PartitionKey;

/// The id of no session, and the epoch that asks for one.
const NONE: i32 = 0;
/// First version that names topics by id.
const BY_ID: i16 = 13;
/// First version that tells where the follower's log is.
const WITH_DIRECTORY: i16 = 17;
/// First version with the follower's epoch of what it has.
const WITH_LAST_EPOCH: i16 = 12;

/// What of a partition is asked for; sent again when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Asked {
    leader_epoch: i32,
    offset: i64,
    last_fetched_epoch: i32,
    log_start: i64,
    max_bytes: i32,
    directory: Uuid,
}

/// What all requests of a fetcher say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) version: i16,
    pub(super) partition_max_bytes: i32,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Session {
    id: i32,
    /// Of the next request.
    epoch: i32,
    /// What the leader remembers, and by which name.
    asked: BTreeMap<PartitionKey, (Str, Asked)>,
}

impl Session {
    /// Puts into a request what it has to name. `due` is all that is to be fetched.
    pub(super) fn ask<E: Env>(
        &mut self,
        request: &mut FetchRequest,
        due: &BTreeMap<PartitionKey, Due<E>>,
        terms: &Terms,
    ) {
        (request.session_id, request.session_epoch) = (self.id, self.epoch);
        if self.id == NONE {
            self.asked.clear();
        }
        let gone: Vec<PartitionKey> =
            self.asked.keys().filter(|key| !due.contains_key(key)).copied().collect();
        for key in gone {
            let (name, _) = self.asked.remove(&key).expect("it is one of them");
            forget(request, key, name, terms);
        }
        for (key, one) in due {
            let asked = Asked {
                leader_epoch: one.point.leader_epoch,
                offset: one.point.offset,
                last_fetched_epoch: one.point.last_fetched_epoch,
                log_start: one.partition.log.offsets().log_start,
                max_bytes: terms.partition_max_bytes,
                directory: one.partition.log.directory_id(),
            };
            let known = self.asked.get(key).is_some_and(|(_, known)| *known == asked);
            if known {
                continue;
            }
            let name = one.partition.topic().clone();
            name_partition(request, *key, &name, &asked, terms);
            self.asked.insert(*key, (name, asked));
        }
    }

    /// The leader answered, with this id.
    pub(super) fn answered(&mut self, id: i32) {
        if id == NONE {
            // It has no room for a session: everything is named each time.
            (self.id, self.epoch) = (NONE, NONE);
        } else if self.id == NONE {
            (self.id, self.epoch) = (id, 1);
        } else {
            self.epoch = if self.epoch == i32::MAX { 1 } else { self.epoch + 1 };
        }
    }

    /// What the leader remembers is not known any more.
    pub(super) fn forget(&mut self) {
        *self = Session::default();
    }
}

fn name_partition(
    request: &mut FetchRequest,
    (topic_id, index): PartitionKey,
    name: &Str,
    asked: &Asked,
    terms: &Terms,
) {
    let by_id = terms.version >= BY_ID;
    let partition = FetchPartition {
        partition: index,
        current_leader_epoch: asked.leader_epoch,
        fetch_offset: asked.offset,
        last_fetched_epoch: match terms.version {
            WITH_LAST_EPOCH.. => asked.last_fetched_epoch,
            _ => -1,
        },
        log_start_offset: asked.log_start,
        partition_max_bytes: asked.max_bytes,
        replica_directory_id: match terms.version {
            WITH_DIRECTORY.. => asked.directory,
            _ => Uuid::ZERO,
        },
        ..FetchPartition::default()
    };
    let same = |topic: &&mut FetchTopic| match by_id {
        true => topic.topic_id == topic_id,
        false => topic.topic == *name,
    };
    match request.topics.last_mut().filter(same) {
        Some(topic) => topic.partitions.push(partition),
        None => request.topics.push(FetchTopic {
            topic: if by_id { Str::default() } else { name.clone() },
            topic_id: if by_id { topic_id } else { Uuid::ZERO },
            partitions: vec![partition],
            ..FetchTopic::default()
        }),
    }
}

fn forget(request: &mut FetchRequest, (topic_id, index): PartitionKey, name: Str, terms: &Terms) {
    let by_id = terms.version >= BY_ID;
    request.forgotten_topics_data.push(ForgottenTopic {
        topic: if by_id { Str::default() } else { name },
        topic_id: if by_id { topic_id } else { Uuid::ZERO },
        partitions: vec![index],
        ..ForgottenTopic::default()
    });
}
