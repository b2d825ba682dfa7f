//! A partition that has a replica here: its log, and this node's part in it.
//!
//! The image says what that part is; [`Partition::lead`] and [`Partition::follow`] make it so. Requests
//! ask [`Partition::check_leader`] and wait by [`Partition::committed`].

use std::sync::Arc;

use ottla_config::ThrottledReplicas;
use ottla_env::Env;
use ottla_protocol::{ErrorCode, Str, Uuid};
use ottla_replica::leader::{self, Altered, Fetch, FetchVerdict, OwnLog};
use ottla_replica::{Follower, Leader, Member, PartitionState};
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::commits::Ticket;
use super::office::Office;
use super::replica::{Part, Replica, Role};
use super::watchers::Watchers;
use crate::log::{self, LogConfig, LogError, ProgressListener};

/// A topic's settings, as its partitions take them.
pub(crate) struct TopicSettings {
    pub(crate) log: Arc<LogConfig>,
    pub(crate) throttled_leaders: ThrottledReplicas,
    pub(crate) throttled_followers: ThrottledReplicas,
}

/// A leader's term of office.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) epoch: i32,
    /// Others follow: their positions say what is committed.
    pub(crate) with_others: bool,
}

/// What a client believes that knows of no epoch.
const NO_EPOCH: i32 = -1;

/// See the module.
pub(crate) struct Partition<E: Env> {
    pub(crate) log: Arc<log::Partition<E>>,
    pub(super) replica: Arc<Replica<E>>,
}

impl<E: Env> Partition<E> {
    /// A partition whose part nobody has said yet.
    pub(super) fn new(log: Arc<log::Partition<E>>, office: Arc<Office<E>>) -> Arc<Partition<E>> {
        let replica = Replica::new((log.id().topic_id, log.id().partition), office);
        log.on_progress(Arc::clone(&replica) as Arc<dyn ProgressListener>);
        Arc::new(Partition { log, replica })
    }

    /// The name of its topic.
    pub(crate) fn topic(&self) -> &Str {
        &self.log.id().topic
    }

    /// The id of its topic.
    pub(crate) fn topic_id(&self) -> Uuid {
        self.log.id().topic_id
    }

    /// Its place in the topic.
    pub(crate) fn index(&self) -> i32 {
        self.log.id().partition
    }

    /// Who waits for its records.
    pub(crate) fn watchers(&self) -> &Arc<Watchers> {
        &self.replica.watchers
    }

    /// The epoch in which this node leads or follows.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.replica.standing().epoch
    }

    /// Whether this node leads it, alone or with others.
    pub(crate) fn is_leader(&self) -> bool {
        matches!(self.replica.standing().part, Part::Alone | Part::Leader)
    }

    /// Whether this node leads it and others follow: their positions say what is committed.
    pub(crate) fn leads_others(&self) -> bool {
        self.replica.standing().part == Part::Leader
    }

    /// Only a leader takes records, and answers for what is committed.
    pub(crate) fn check_leader(&self) -> Result<(), ErrorCode> {
        if self.is_leader() { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    /// What this node leads it as. Read at once: between two looks it may have lost its office, and
    /// taken another.
    pub(crate) fn term(&self) -> Result<Term, ErrorCode> {
        let standing = self.replica.standing();
        match standing.part {
            Part::Alone => Ok(Term { epoch: standing.epoch, with_others: false }),
            Part::Leader => Ok(Term { epoch: standing.epoch, with_others: true }),
            Part::Follower | Part::Nothing => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// A replica serves consumers too (KIP-392).
    pub(crate) fn check_replica(&self) -> Result<(), ErrorCode> {
        match self.replica.standing().part {
            Part::Nothing => Err(ErrorCode::NotLeaderOrFollower),
            Part::Alone | Part::Leader | Part::Follower => Ok(()),
        }
    }

    /// The epoch a client believes in against the one in force; -1 believes anything.
    pub(crate) fn check_leader_epoch(&self, believed: i32) -> Result<(), ErrorCode> {
        let current = self.leader_epoch();
        match believed {
            epoch if epoch == NO_EPOCH || epoch == current => Ok(()),
            epoch if epoch < current => Err(ErrorCode::FencedLeaderEpoch),
            _ => Err(ErrorCode::UnknownLeaderEpoch),
        }
    }

    /// Enough replicas are in sync for acks=all.
    pub(crate) fn has_enough_in_sync(&self) -> bool {
        self.replica.has_enough_in_sync()
    }

    /// Whether what was committed before this node led is known by now: before that, the high
    /// watermark may lie below what readers have been told.
    pub(crate) fn knows_what_is_committed(&self) -> bool {
        match &*self.replica.role.lock() {
            Role::Leader(leader) => leader.knows_what_is_committed(),
            _ => true,
        }
    }

    /// Until the record at `offset`, appended in `epoch`, is committed: on stable storage of every
    /// replica in sync. The one way to wait for an append. Whoever appended saw to it that it is
    /// written; where the disk is gone, it ends when this node notices.
    pub(crate) async fn committed(&self, epoch: i32, offset: i64) -> Result<(), ErrorCode> {
        let ticket = Ticket::new(1, Arc::new(Notify::new()));
        self.await_commit(epoch, offset, &ticket, 0);
        while !ticket.is_done() {
            ticket.changed().await;
        }
        ticket.outcome(0).unwrap_or(Err(ErrorCode::UnknownServerError))
    }

    /// Lets a ticket wait for the commit of the record at `offset`.
    pub(crate) fn await_commit(&self, epoch: i32, offset: i64, ticket: &Arc<Ticket>, place: usize) {
        let commits = &self.replica.commits;
        commits.wait(epoch, offset, ticket, place);
        // It may have moved between the append and the wait.
        commits.passed(self.log.offsets().high_watermark, Ok(()));
    }

    /// Leads it as the controller says.
    pub(super) fn lead(
        &self,
        state: &PartitionState<'_>,
        config: &LogConfig,
    ) -> Result<(), LogError> {
        let replica = &*self.replica;
        let office = &replica.office;
        let alone = state.replicas.iter().all(|id| *id == office.node_id());
        let before = replica.standing();
        let mut role = replica.role.lock();
        let is_newer = before.epoch != state.leader_epoch || !self.is_leader();
        if !is_newer {
            match &mut *role {
                Role::Leader(leader) if !alone => {
                    self.step(leader, leader::Event::Changed(*state));
                    return Ok(());
                }
                Role::Alone if alone => return Ok(()),
                _ => {}
            }
        }
        self.log.set_replicated(!alone)?;
        self.log.lead(state.leader_epoch)?;
        replica.commits.begin(state.leader_epoch);
        if alone {
            *role = Role::Alone;
            replica.set_has_enough(true);
            replica.stand(state.leader_epoch, Part::Alone);
        } else {
            replica.stand(state.leader_epoch, Part::Leader);
            let mut leader = Box::new(self.new_leader(state, config));
            // What became durable meanwhile found no leader to tell.
            let offsets = self.log.offsets();
            let (durable_end, log_end) = (offsets.durable_end, offsets.log_end);
            self.step(&mut leader, leader::Event::Durable { durable_end, log_end });
            *role = Role::Leader(leader);
        }
        drop(role);
        if is_newer {
            self.watchers().wake_all();
        }
        Ok(())
    }

    fn new_leader(&self, state: &PartitionState<'_>, config: &LogConfig) -> Leader {
        let office = &self.replica.office;
        let offsets = self.log.offsets();
        let began = self.log.last_epoch().filter(|last| last.epoch == state.leader_epoch);
        let own = OwnLog {
            high_watermark: offsets.high_watermark,
            durable_end: offsets.durable_end,
            log_end: offsets.log_end,
            epoch_start: began.map_or(offsets.log_end, |began| began.start_offset),
        };
        let settings = office.settings(config.min_insync_replicas);
        let mut actions = Vec::new();
        let leader = Leader::new(office.now_ms(), office.me(), state, &own, settings, &mut actions);
        self.carry_out(&leader, &actions);
        leader
    }

    /// Follows `leader`, nobody if that is below zero, in an epoch. Says whether that is new.
    pub(super) fn follow(&self, leader: i32, epoch: i32) -> Result<bool, LogError> {
        let replica = &*self.replica;
        let mut role = replica.role.lock();
        if let Role::Follower(known) = &*role
            && (known.leader(), known.leader_epoch()) == (leader, epoch)
        {
            return Ok(false);
        }
        // First of all nothing more is appended for clients.
        self.log.follow(epoch);
        self.log.set_replicated(true)?;
        replica.stand(epoch, Part::Follower);
        let follower = Follower::new(leader, epoch, replica.office.backoff_ms());
        *role = Role::Follower(Box::new(follower));
        replica.commits.end(ErrorCode::NotLeaderOrFollower);
        drop(role);
        replica.followers_moved();
        self.watchers().wake_all();
        Ok(true)
    }

    /// New settings.
    pub(super) fn configure(&self, settings: &TopicSettings) {
        self.log.set_config(Arc::clone(&settings.log));
        self.throttle(settings);
        let settings = self.replica.office.settings(settings.log.min_insync_replicas);
        self.as_leader(|leader| self.step(leader, leader::Event::Configured(settings)));
    }

    /// Which replicas of the topic are throttled.
    pub(super) fn throttle(&self, settings: &TopicSettings) {
        self.replica.throttle(&settings.throttled_leaders, &settings.throttled_followers);
    }

    /// Whether what this node sends to followers that lag is throttled (KIP-73).
    pub(crate) fn sends_throttled(&self) -> bool {
        self.replica.sends_throttled()
    }

    /// Whether what this node fetches is throttled.
    pub(crate) fn fetches_throttled(&self) -> bool {
        self.replica.fetches_throttled()
    }

    /// The partition is gone, or its disk: whoever waits is sent away.
    pub(crate) fn close(&self, error: ErrorCode) {
        let replica = &*self.replica;
        *replica.role.lock() = Role::Nothing;
        replica.stand(self.leader_epoch(), Part::Nothing);
        replica.commits.end(error);
        replica.followers_moved();
        self.watchers().wake_all();
    }

    /// Whether a broker that fetches as a follower is one. One that told the epoch (`in_epoch`) may
    /// have been added by a change of the assignment that this node has not seen.
    pub(crate) fn judge(
        &self,
        replica: i32,
        broker_epoch: i64,
        in_epoch: bool,
    ) -> Result<(), ErrorCode> {
        let stranger = match in_epoch {
            true => ErrorCode::UnknownLeaderEpoch,
            false => ErrorCode::NotLeaderOrFollower,
        };
        match &*self.replica.role.lock() {
            Role::Leader(leader) => match leader.judge(replica, broker_epoch) {
                FetchVerdict::Serve => Ok(()),
                FetchVerdict::Stale => Err(ErrorCode::NotLeaderOrFollower),
                FetchVerdict::Stranger => Err(stranger),
            },
            Role::Alone => Err(stranger),
            Role::Follower(_) | Role::Nothing => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// A follower has everything below the offset it asks for.
    pub(crate) fn fetched(&self, fetch: Fetch) {
        self.as_leader(|leader| self.step(leader, leader::Event::Fetched(fetch)));
        self.replica.followers_moved();
    }

    /// Until a follower tells where it is.
    pub(crate) fn follower_moved(&self) -> Notified<'_> {
        self.replica.followers.get_or_init(Box::default).notified()
    }

    /// The controller's answer to what this leader asked for.
    pub(crate) fn altered(&self, altered: Altered<'_>) {
        self.as_leader(|leader| self.step(leader, leader::Event::Altered(altered)));
    }

    /// Which brokers may be in an ISR is another matter now.
    pub(crate) fn brokers_changed(&self, active: &[Member]) {
        self.as_leader(|leader| self.step(leader, leader::Event::Brokers(active)));
    }

    /// Time has passed; answers when it is to be told again at the latest.
    pub(crate) fn tick(&self) -> Option<i64> {
        let mut deadline_ms = None;
        self.as_leader(|leader| {
            self.step(leader, leader::Event::Tick);
            deadline_ms = leader.deadline_ms();
        });
        deadline_ms
    }

    /// The least offset at which a replica of those alive begins. Only a leader knows.
    pub(crate) fn low_watermark(&self, is_alive: impl Fn(i32) -> bool) -> Result<i64, ErrorCode> {
        let own = self.log.offsets().log_start;
        match &*self.replica.role.lock() {
            Role::Alone => Ok(own),
            Role::Leader(leader) => Ok(leader.low_watermark(own, is_alive)),
            Role::Follower(_) | Role::Nothing => Err(ErrorCode::NotLeaderOrFollower),
        }
    }

    /// Looks at the leader's machine, where others follow this node.
    pub(crate) fn with_leader<T>(&self, look: impl FnOnce(&Leader) -> T) -> Option<T> {
        match &*self.replica.role.lock() {
            Role::Leader(leader) => Some(look(leader)),
            _ => None,
        }
    }

    fn as_leader(&self, act: impl FnOnce(&mut Leader)) {
        if let Role::Leader(leader) = &mut *self.replica.role.lock() {
            act(leader);
        }
    }

    pub(super) fn step(&self, leader: &mut Leader, event: leader::Event<'_>) {
        let mut actions = Vec::new();
        leader.handle(self.replica.office.now_ms(), event, &mut actions);
        self.carry_out(leader, &actions);
    }

    fn carry_out(&self, leader: &Leader, actions: &[leader::Action]) {
        let raise = |offset| self.log.advance_high_watermark(offset);
        self.replica.carry_out(leader, actions, &raise);
    }
}
