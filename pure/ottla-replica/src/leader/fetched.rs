//! A follower fetched: it has everything below the offset it asks for.

use ottla_plant::{Plant, planted};

use super::{Action, Leader};

/// A follower's fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    pub replica: i32,
    /// Of the life of its broker (KIP-903); -1 where the version of the request has none.
    pub broker_epoch: i64,
    /// The cluster knows that life, and lets it into an ISR.
    pub is_eligible: bool,
    /// Everything below is on the follower's stable storage.
    pub offset: i64,
    pub log_start: i64,
    /// Where this leader's log ended when it was read for the follower.
    pub log_end: i64,
}

/// What a fetch is to a leader, before it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchVerdict {
    Serve,
    /// Not a replica of the partition.
    Stranger,
    /// Of an earlier life of its broker.
    Stale,
}

impl Leader {
    /// Whether a broker's fetch is served. Nobody else moves anything here.
    pub fn judge(&self, replica: i32, broker_epoch: i64) -> FetchVerdict {
        match self.followers.iter().find(|follower| follower.id == replica) {
            None => FetchVerdict::Stranger,
            Some(known)
                if (0..known.broker_epoch).contains(&broker_epoch)
                    && !planted(Plant::StrangerFollows) =>
            {
                FetchVerdict::Stale
            }
            Some(_) => FetchVerdict::Serve,
        }
    }

    pub(super) fn fetched(&mut self, now_ms: i64, fetch: &Fetch, out: &mut Vec<Action>) {
        if self.judge(fetch.replica, fetch.broker_epoch) != FetchVerdict::Serve {
            return;
        }
        self.log_end = self.log_end.max(fetch.log_end);
        // No follower has more than the leader: one that says so is about to learn where it diverges.
        if fetch.offset > self.log_end {
            return;
        }
        let found = self.followers.iter_mut().find(|follower| follower.id == fetch.replica);
        let follower = found.expect("it was judged to be a replica");
        follower.broker_epoch = fetch.broker_epoch;
        follower.is_eligible = fetch.is_eligible;
        follower.note(fetch.offset, fetch.log_start, fetch.log_end, now_ms);
        self.expand(now_ms, fetch.replica, out);
    }
}
