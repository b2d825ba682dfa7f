//! The leader's side: who has what, the high watermark, and whether a majority still follows.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::Token;
use crate::message::Fetch;
use crate::replica::ReplicaKey;
use crate::voters::VoterSet;

/// What the leader knows of one voter.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// It has everything below on its stable storage; `None` until it fetched in this epoch.
    end: Option<i64>,
    last_fetch_ms: Option<i64>,
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
    /// Those that fetched since check-quorum last was content.
    heard_of: BTreeSet<ReplicaKey>,
    pub(crate) check_quorum_due_ms: i64,
    pub(crate) begin_quorum_due_ms: i64,
    /// One a replica, the newest: an older one is answered at once.
    pub(crate) parked: BTreeMap<ReplicaKey, Parked>,
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
            heard_of: BTreeSet::new(),
            check_quorum_due_ms: now_ms + check_quorum_ms,
            begin_quorum_due_ms: now_ms,
            parked: BTreeMap::new(),
        };
        leader.set_voters(voters);
        leader
    }

    /// The voters changed; what is known of those who stay is kept.
    pub(crate) fn set_voters(&mut self, voters: &VoterSet) {
        let mut known = std::mem::take(&mut self.voters);
        for voter in voters.iter() {
            let progress = known.remove(&voter.key).unwrap_or_default();
            self.voters.insert(voter.key, progress);
        }
        self.heard_of.retain(|key| self.voters.contains_key(key));
    }

    /// The voter a fetch of `replica` speaks for: directories are compared where both are known.
    fn voter(&self, replica: &ReplicaKey) -> Option<ReplicaKey> {
        self.voters.keys().find(|voter| replica.is_meant_by(voter)).copied()
    }

    /// `replica` fetched from `offset`: it has everything below.
    pub(crate) fn fetched(&mut self, replica: &ReplicaKey, offset: i64, now_ms: i64) {
        let Some(voter) = self.voter(replica) else { return };
        let Some(progress) = self.voters.get_mut(&voter) else { return };
        progress.end = Some(offset);
        progress.last_fetch_ms = Some(now_ms);
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
        let moved = of_majority > self.epoch_start
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
