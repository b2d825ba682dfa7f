//! The leader's side: who has what, the high watermark, and whether a majority still follows.

use std::collections::{BTreeMap, BTreeSet};

use ottla_plant::{Plant, planted};

use crate::action::Token;
use crate::message::Fetch;
use crate::replica::{NodeId, ReplicaKey};
use crate::voters::{Voter, VoterSet};

/// An observer that has not fetched for so long is forgotten (Kafka's observer session).
const OBSERVER_SILENCE_MS: i64 = 300_000;
/// A replica that was caught up within this time can become a voter (Kafka's hour).
const CAUGHT_UP_MS: i64 = 3_600_000;
/// Observers that are remembered; beyond that the one that fetched longest ago is forgotten.
const OBSERVERS_MAX: usize = 10_000;

/// What the leader knows of one other replica.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// It has everything below on its stable storage; `None` until it fetched in this epoch.
    pub end: Option<i64>,
    pub last_fetch_ms: Option<i64>,
    /// When it last had all that the leader had.
    pub caught_up_ms: Option<i64>,
    /// The end of the leader's log at its last fetch.
    leader_end: i64,
}

impl Progress {
    /// A replica that has what the leader had at its last fetch was caught up then (Kafka's rule).
    fn fetched(&mut self, offset: i64, leader_end: i64, now_ms: i64) {
        if offset >= leader_end {
            self.caught_up_ms = Some(now_ms).max(self.caught_up_ms);
        } else if self.leader_end > 0 && offset >= self.leader_end {
            self.caught_up_ms = self.last_fetch_ms.max(self.caught_up_ms);
        }
        self.end = Some(offset);
        self.last_fetch_ms = Some(now_ms);
        self.leader_end = leader_end;
    }
}

/// What the leader knows of all replicas.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replicas {
    pub voters: BTreeMap<ReplicaKey, Progress>,
    pub observers: BTreeMap<ReplicaKey, Progress>,
}

/// A fetch held back until there is something to say.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    pub(crate) token: Token,
    pub(crate) fetch: Fetch,
    pub(crate) due_ms: i64,
}

#[derive(Debug, Clone)]
pub(crate) struct Leader {
    me: ReplicaKey,
    /// The offset of this epoch's first record.
    epoch_start: i64,
    pub(crate) high_watermark: Option<i64>,
    voters: BTreeMap<ReplicaKey, Progress>,
    observers: BTreeMap<ReplicaKey, Progress>,
    /// Those that fetched since check-quorum last was content.
    heard_of: BTreeSet<ReplicaKey>,
    pub(crate) check_quorum_due_ms: i64,
    pub(crate) begin_quorum_due_ms: i64,
    /// One a replica, the newest: an older one is answered at once.
    pub(crate) parked: BTreeMap<ReplicaKey, Parked>,
    /// Who waits for the latest change of the voters to be committed.
    pub(crate) changing: Option<Token>,
    /// What voters said of themselves, while only the configuration knows of them.
    pub(crate) told: BTreeMap<NodeId, Voter>,
}

impl Leader {
    pub(crate) fn new(
        me: ReplicaKey,
        epoch_start: i64,
        voters: &VoterSet,
        now_ms: i64,
        check_quorum_ms: i64,
    ) -> Self {
        let mut leader = Self {
            me,
            epoch_start,
            high_watermark: None,
            voters: BTreeMap::new(),
            observers: BTreeMap::new(),
            heard_of: BTreeSet::new(),
            check_quorum_due_ms: now_ms + check_quorum_ms,
            begin_quorum_due_ms: now_ms,
            parked: BTreeMap::new(),
            changing: None,
            told: BTreeMap::new(),
        };
        leader.set_voters(voters);
        leader
    }

    /// The voters changed; what is known of those who stay is kept.
    pub(crate) fn set_voters(&mut self, voters: &VoterSet) {
        let mut known = std::mem::take(&mut self.voters);
        for voter in voters.iter() {
            let observed = self.observers.get(&voter.key).cloned();
            let progress = known.remove(&voter.key).or(observed).unwrap_or_default();
            self.voters.insert(voter.key, progress);
        }
        self.heard_of.retain(|key| self.voters.contains_key(key));
        // Who votes no more may go on as an observer, and the other way round.
        self.observers.extend(known);
        let (me, voters) = (self.me, &self.voters);
        self.observers.retain(|key, _| *key != me && !voters.contains_key(key));
    }

    /// The same voters, known by their directories from now on. How far each is, its next fetch says.
    pub(crate) fn name_voters(&mut self, voters: &VoterSet) {
        self.voters.clear();
        self.set_voters(voters);
    }

    /// The voter a fetch of `replica` speaks for: directories are compared where both are known.
    fn voter(&self, replica: &ReplicaKey) -> Option<ReplicaKey> {
        self.voters.keys().find(|voter| replica.is_meant_by(voter)).copied()
    }

    /// `replica` fetched from `offset`: it has everything below. The leader's own log ends at `leader_end`.
    pub(crate) fn fetched(
        &mut self,
        replica: &ReplicaKey,
        offset: i64,
        leader_end: i64,
        now_ms: i64,
    ) {
        let progress = match self.voter(replica) {
            Some(voter) => self.voters.entry(voter).or_default(),
            // Tools fetch without an id.
            None if replica.id.0 < 0 => return,
            None => self.observers.entry(*replica).or_default(),
        };
        progress.fetched(offset, leader_end, now_ms);
        self.forget_observers(now_ms);
    }

    fn forget_observers(&mut self, now_ms: i64) {
        let is_there = |last_ms: i64| now_ms - last_ms < OBSERVER_SILENCE_MS;
        self.observers.retain(|_, observer| observer.last_fetch_ms.is_some_and(is_there));
        while self.observers.len() > OBSERVERS_MAX {
            let oldest = self.observers.iter().min_by_key(|(_, observer)| observer.last_fetch_ms);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
            self.observers.remove(&oldest);
        }
    }

    /// Voters and observers, this leader among the voters as one that has fetched its own log to the end.
    pub(crate) fn replicas(&self, end: i64, now_ms: i64) -> Replicas {
        let mut voters = self.voters.clone();
        if let Some(mine) = self.voter(&self.me)
            && let Some(progress) = voters.get_mut(&mine)
        {
            progress.fetched(end, end, now_ms);
        }
        Replicas { voters, observers: self.observers.clone() }
    }

    /// Whether an observer lately had all that the leader had: as a voter it will not hold commits up.
    pub(crate) fn is_caught_up(&self, replica: &ReplicaKey, now_ms: i64) -> bool {
        let observer = self.observers.get(replica);
        let caught_up_ms = observer.and_then(|observer| observer.caught_up_ms);
        caught_up_ms.is_some_and(|at_ms| now_ms - at_ms < CAUGHT_UP_MS)
    }

    pub(crate) fn epoch_start(&self) -> i64 {
        self.epoch_start
    }

    /// Any fetch of a voter says that it follows. True when a majority does: the clock starts anew.
    pub(crate) fn hear(&mut self, replica: &ReplicaKey, now_ms: i64, check_quorum_ms: i64) {
        let Some(voter) = self.voter(replica) else { return };
        self.heard_of.insert(voter);
        let mine = usize::from(self.voter(&self.me).is_some());
        if self.heard_of.len() + mine > self.voters.len() / 2 {
            self.heard_of.clear();
            self.check_quorum_due_ms = now_ms + check_quorum_ms;
        }
    }

    /// What a majority has on stable storage, the leader up to `durable` itself. Returns the high watermark if it
    /// moved. It only moves once a record of this epoch is among it (Raft §5.4.2), and never back.
    pub(crate) fn advance(&mut self, durable: i64) -> Option<i64> {
        let mine = self.voter(&self.me);
        let end = |(key, progress): (&ReplicaKey, &Progress)| {
            if Some(*key) == mine { Some(durable) } else { progress.end }
        };
        let mut ends: Vec<Option<i64>> = self.voters.iter().map(end).collect();
        ends.sort_unstable_by(|a, b| b.cmp(a));
        let of_majority = ends.get(ends.len() / 2).copied().flatten()?;
        let moved = (of_majority > self.epoch_start || planted(Plant::OldEpochCommitted))
            && self.high_watermark.is_none_or(|known| known < of_majority);
        if !moved {
            return None;
        }
        self.high_watermark = Some(of_majority);
        self.high_watermark
    }

    /// Voters that did not fetch for a while, and may not know who leads.
    pub(crate) fn strangers(&self, now_ms: i64, silence_ms: i64) -> Vec<ReplicaKey> {
        let silent = |progress: &Progress| {
            progress.last_fetch_ms.is_none_or(|last| now_ms - last >= silence_ms)
        };
        let mine = self.voter(&self.me);
        let others = self.voters.iter().filter(|(key, _)| Some(**key) != mine);
        others.filter(|(_, progress)| silent(progress)).map(|(key, _)| *key).collect()
    }

    /// The other voters, the most complete log first.
    pub(crate) fn successors(&self) -> Vec<ReplicaKey> {
        let mine = self.voter(&self.me);
        let mut others: Vec<_> =
            self.voters.iter().filter(|(key, _)| Some(**key) != mine).collect();
        others.sort_by_key(|(_, progress)| std::cmp::Reverse(progress.end));
        others.into_iter().map(|(key, _)| *key).collect()
    }

    /// A voter alone needs nobody.
    pub(crate) fn is_alone(&self) -> bool {
        self.voters.len() == 1 && self.voter(&self.me).is_some()
    }

    pub(crate) fn due_ms(&self) -> i64 {
        let parked = self.parked.values().map(|parked| parked.due_ms).min().unwrap_or(i64::MAX);
        if self.is_alone() {
            return parked;
        }
        parked.min(self.check_quorum_due_ms).min(self.begin_quorum_due_ms)
    }
}
