//! Who may be connected: the node's count of connections, in all and per address.
//!
//! It never closes a connection: it refuses new ones, or makes the listener wait.

use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use std::collections::BTreeMap;
use tokio::sync::Notify;

/// What the configuration allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    /// `max.connections`
    pub(crate) total: usize,
    /// `max.connections.per.ip`
    pub(crate) per_ip: usize,
    /// `max.connections.per.ip.overrides`
    pub(crate) per_ip_overrides: BTreeMap<IpAddr, usize>,
}

/// The count of open connections.
pub(crate) struct Gate {
    state: Mutex<Counts>,
    left: Notify,
}

struct Counts {
    limits: Limits,
    total: usize,
    per_ip: BTreeMap<IpAddr, usize>,
}

impl Gate {
    pub(crate) fn new(limits: Limits) -> Arc<Gate> {
        let counts = Counts { limits, total: 0, per_ip: BTreeMap::new() };
        Arc::new(Gate { state: Mutex::new(counts), left: Notify::new() })
    }

    /// Changes the limits; open connections stay.
    pub(crate) fn set_limits(&self, limits: Limits) {
        self.state.lock().limits = limits;
        self.left.notify_waiters();
    }

    /// Completes when one more connection fits, as Kafka's acceptor waits at `max.connections`.
    pub(crate) async fn has_room(&self) {
        loop {
            let mut left = std::pin::pin!(self.left.notified());
            left.as_mut().enable();
            {
                let state = self.state.lock();
                if state.total < state.limits.total {
                    return;
                }
            }
            left.await;
        }
    }

    /// Counts a connection in; `None` if its address has as many as it may have.
    pub(crate) fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<Pass> {
        let ip = ip.to_canonical();
        let mut state = self.state.lock();
        let limit = state.limits.per_ip_overrides.get(&ip).copied();
        let limit = limit.unwrap_or(state.limits.per_ip);
        let count = state.per_ip.get(&ip).copied().unwrap_or(0);
        if count >= limit {
            return None;
        }
        state.per_ip.insert(ip, count + 1);
        state.total += 1;
        Some(Pass { gate: Arc::clone(self), ip })
    }

    /// Completes when nobody is connected any more.
    pub(crate) async fn empty(&self) {
        loop {
            let mut left = std::pin::pin!(self.left.notified());
            left.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            left.await;
        }
    }

    /// Open connections.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().total
    }
}

/// One connection's place in the count; given back when dropped.
pub(crate) struct Pass {
    gate: Arc<Gate>,
    ip: IpAddr,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut state = self.gate.state.lock();
        state.total -= 1;
        if let Some(count) = state.per_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                state.per_ip.remove(&self.ip);
            }
        }
        drop(state);
        self.gate.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests;
