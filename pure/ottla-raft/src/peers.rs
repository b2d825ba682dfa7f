//! One request at a time to each peer: what is on its way, and whom to leave alone for a while.

use std::collections::BTreeMap;

use crate::replica::NodeId;

/// A peer that is not listed is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Peer {
    Awaiting { correlation: u64, until_ms: i64 },
    BackingOff { until_ms: i64 },
}

/// How long somebody who did not answer in time is left alone.
const SILENCE_PAUSE_MS: i64 = 20;

#[derive(Debug, Clone, Default)]
pub(crate) struct Peers {
    peers: BTreeMap<NodeId, Peer>,
    last_correlation: u64,
}

impl Peers {
    /// What has waited long enough is ready again; who did not answer in time is left alone for a
    /// moment, so that another is asked in between.
    pub(crate) fn expire(&mut self, now_ms: i64) {
        for peer in self.peers.values_mut() {
            if let Peer::Awaiting { until_ms, .. } = *peer
                && until_ms <= now_ms
            {
                *peer = Peer::BackingOff { until_ms: until_ms.saturating_add(SILENCE_PAUSE_MS) };
            }
        }
        self.peers.retain(|_, peer| match peer {
            Peer::Awaiting { .. } => true,
            Peer::BackingOff { until_ms } => now_ms < *until_ms,
        });
    }

    pub(crate) fn is_ready(&mut self, id: NodeId, now_ms: i64) -> bool {
        self.expire(now_ms);
        !self.peers.contains_key(&id)
    }

    pub(crate) fn is_backing_off(&mut self, id: NodeId, now_ms: i64) -> bool {
        self.expire(now_ms);
        matches!(self.peers.get(&id), Some(Peer::BackingOff { .. }))
    }

    /// Whether any answer is still awaited, from anybody.
    pub(crate) fn is_awaiting(&mut self, now_ms: i64) -> bool {
        self.expire(now_ms);
        self.peers.values().any(|peer| matches!(peer, Peer::Awaiting { .. }))
    }

    /// A request goes out; returns its correlation.
    pub(crate) fn sent(&mut self, id: NodeId, until_ms: i64) -> u64 {
        let correlation = self.count();
        self.peers.insert(id, Peer::Awaiting { correlation, until_ms });
        correlation
    }

    /// A correlation that nobody has, of a request that holds up no other.
    pub(crate) fn count(&mut self) -> u64 {
        self.last_correlation += 1;
        self.last_correlation
    }

    /// An answer came. False if it is not awaited any more: too late, or of an earlier role.
    pub(crate) fn answered(&mut self, id: NodeId, correlation: u64) -> bool {
        let awaited = matches!(self.peers.get(&id),
            Some(Peer::Awaiting { correlation: sent, .. }) if *sent == correlation);
        if awaited {
            self.peers.remove(&id);
        }
        awaited
    }

    pub(crate) fn back_off(&mut self, id: NodeId, until_ms: i64) {
        self.peers.insert(id, Peer::BackingOff { until_ms });
    }

    /// A new role: no old answer means anything.
    pub(crate) fn reset(&mut self) {
        self.peers.clear();
    }

    /// When the next one becomes ready.
    pub(crate) fn deadline(&self) -> Option<i64> {
        let due = |peer: &Peer| match peer {
            Peer::Awaiting { until_ms, .. } | Peer::BackingOff { until_ms } => *until_ms,
        };
        self.peers.values().map(due).min()
    }
}
