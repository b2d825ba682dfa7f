//! This node's replica of one partition: whether it leads or follows, in which epoch, and who waits for
//! it. Its log tells it of progress; it never writes to the log by itself.
//!
//! Lock order: role -> the log's state. What changes the role holds `role` and changes the log under it,
//! so that nothing is appended or committed in one epoch that was begun in another.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use ottla_config::ThrottledReplicas;
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_replica::leader::{self, Action};
use ottla_replica::{Follower, Leader};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::commits::Commits;
use super::office::{Office, PartitionKey};
use super::watchers::Watchers;
use crate::log::{Offsets, Progress, ProgressListener, TopicPartition};

/// What this node is to a partition.
pub(super) enum Role {
    /// Nobody has said yet, or its disk is gone.
    Nothing,
    /// Its leader, and the only replica: its own disk says what is committed.
    Alone,
    Leader(Box<Leader>),
    Follower(Box<Follower>),
}

/// The role and its epoch in one word, to be read without a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) epoch: i32,
    pub(super) part: Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Nothing,
    Alone,
    Leader,
    Follower,
}

impl Standing {
    fn pack(self) -> u64 {
        let part = match self.part {
            Part::Nothing => 0,
            Part::Alone => 1,
            Part::Leader => 2,
            Part::Follower => 3,
        };
        u64::from(self.epoch.cast_unsigned()) << 2 | part
    }

    fn unpack(word: u64) -> Standing {
        let part = match word & 3 {
            0 => Part::Nothing,
            1 => Part::Alone,
            2 => Part::Leader,
            _ => Part::Follower,
        };
        let epoch = u32::try_from(word >> 2).expect("an epoch was packed here").cast_signed();
        Standing { epoch, part }
    }
}

/// See the module.
pub(crate) struct Replica<E: Env> {
    pub(super) key: PartitionKey,
    pub(super) office: Arc<Office<E>>,
    standing: AtomicU64,
    /// Enough replicas are in sync for acks=all.
    has_enough: AtomicBool,
    /// It is throttled as a leader, as a follower (KIP-73).
    sends_throttled: AtomicBool,
    fetches_throttled: AtomicBool,
    pub(super) role: Mutex<Role>,
    pub(super) watchers: Arc<Watchers>,
    pub(super) commits: Commits,
    /// Told when a follower fetches; made when somebody first waits for that.
    pub(super) followers: OnceLock<Box<Notify>>,
}

impl<E: Env> Replica<E> {
    pub(super) fn new(key: PartitionKey, office: Arc<Office<E>>) -> Arc<Replica<E>> {
        let standing = Standing { epoch: -1, part: Part::Nothing };
        Arc::new(Replica {
            key,
            office,
            standing: AtomicU64::new(standing.pack()),
            has_enough: AtomicBool::new(true),
            sends_throttled: AtomicBool::new(false),
            fetches_throttled: AtomicBool::new(false),
            role: Mutex::new(Role::Nothing),
            watchers: Arc::default(),
            commits: Commits::default(),
            followers: OnceLock::new(),
        })
    }

    pub(super) fn standing(&self) -> Standing {
        Standing::unpack(self.standing.load(Ordering::SeqCst))
    }

    /// Says what the role is now; under the role's lock.
    pub(super) fn stand(&self, epoch: i32, part: Part) {
        self.standing.store(Standing { epoch, part }.pack(), Ordering::SeqCst);
    }

    pub(super) fn has_enough_in_sync(&self) -> bool {
        self.has_enough.load(Ordering::SeqCst)
    }

    /// Whether what it sends to followers that lag is throttled.
    pub(super) fn sends_throttled(&self) -> bool {
        self.sends_throttled.load(Ordering::Relaxed)
    }

    /// Whether what it fetches is throttled.
    pub(super) fn fetches_throttled(&self) -> bool {
        self.fetches_throttled.load(Ordering::Relaxed)
    }

    /// Which replicas of its topic are throttled.
    pub(super) fn throttle(&self, leaders: &ThrottledReplicas, followers: &ThrottledReplicas) {
        let holds = |listed: &ThrottledReplicas| listed.holds(self.key.1, self.office.node_id());
        self.sends_throttled.store(holds(leaders), Ordering::Relaxed);
        self.fetches_throttled.store(holds(followers), Ordering::Relaxed);
    }

    pub(super) fn set_has_enough(&self, has_enough: bool) {
        self.has_enough.store(has_enough, Ordering::SeqCst);
    }

    /// A follower told where it is, or will not any more: whoever waits for that looks again.
    pub(super) fn followers_moved(&self) {
        if let Some(followers) = self.followers.get() {
            followers.notify_waiters();
        }
    }

    /// Does what a leader's machine says; under the role's lock.
    pub(super) fn carry_out(&self, leader: &Leader, actions: &[Action], raise: &dyn Fn(i64)) {
        self.set_has_enough(leader.has_enough_in_sync());
        for action in actions {
            match action {
                Action::RaiseHighWatermark(offset) => raise(*offset),
                Action::AlterPartition(proposal) => self.office.propose(self.key, proposal.clone()),
                Action::IsrChanged => {
                    tracing::debug!(
                        topic_id = %self.key.0, partition = self.key.1,
                        isr = ?leader.isr().committed(), "the in-sync replicas are others now"
                    );
                }
            }
        }
    }
}

impl<E: Env> ProgressListener for Replica<E> {
    fn on_progress(&self, _partition: &TopicPartition, offsets: Offsets, what: Progress) {
        match what {
            Progress::LogEnd => self.watchers.extended(),
            Progress::HighWatermark => {
                let outcome = if self.has_enough_in_sync() {
                    Ok(())
                } else {
                    Err(ErrorCode::NotEnoughReplicasAfterAppend)
                };
                self.commits.passed(offsets.high_watermark, outcome);
                self.watchers.progressed();
            }
        }
    }

    fn on_durable(&self, offsets: Offsets, raise: &dyn Fn(i64)) {
        if self.standing().part != Part::Leader {
            return;
        }
        let mut role = self.role.lock();
        let Role::Leader(leader) = &mut *role else { return };
        let Offsets { durable_end, log_end, .. } = offsets;
        let mut actions = Vec::new();
        let event = leader::Event::Durable { durable_end, log_end };
        leader.handle(self.office.now_ms(), event, &mut actions);
        self.carry_out(leader, &actions, raise);
    }
}

#[cfg(test)]
mod tests {
    use super::{Part, Standing};

    #[test]
    fn a_standing_fits_a_word() {
        for epoch in [-1, 0, 7, i32::MAX] {
            for part in [Part::Nothing, Part::Alone, Part::Leader, Part::Follower] {
                let standing = Standing { epoch, part };
                assert_eq!(Standing::unpack(standing.pack()), standing);
            }
        }
    }
}
