//! Bound ports and the connections that wait to be accepted there.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::task::Waker;

use super::{NodeId, PipeId};

/// Where ports for port 0 and for outgoing connections begin.
const FIRST_FREE_PORT: u16 = 32_768;
/// Connections that wait at most, as the real backlog.
const BACKLOG: usize = 4096;

/// A connection as the listener will see it.
pub(in crate::sim) struct Arrival {
    pub(in crate::sim) reads: PipeId,
    pub(in crate::sim) writes: PipeId,
    pub(in crate::sim) local: SocketAddr,
    pub(in crate::sim) peer: SocketAddr,
}

struct Bound {
    address: SocketAddr,
    arrivals: VecDeque<Arrival>,
    waker: Option<Waker>,
}

/// All listening sockets, by machine and port.
#[derive(Default)]
pub(in crate::sim) struct Listeners {
    bound: BTreeMap<(NodeId, u16), Vec<Bound>>,
    ports: BTreeMap<NodeId, u16>,
}

impl Listeners {
    pub(in crate::sim) fn bind(
        &mut self,
        node: NodeId,
        address: SocketAddr,
    ) -> io::Result<SocketAddr> {
        let mut address = address;
        if address.port() == 0 {
            address.set_port(self.free_port(node));
        }
        let bound = self.bound.entry((node, address.port())).or_default();
        let clash = |other: &Bound| {
            let (own, other) = (address.ip(), other.address.ip());
            own == other || own.is_unspecified() || other.is_unspecified()
        };
        if bound.iter().any(clash) {
            return Err(ErrorKind::AddrInUse.into());
        }
        bound.push(Bound { address, arrivals: VecDeque::new(), waker: None });
        Ok(address)
    }

    /// A port nobody listens on.
    pub(in crate::sim) fn free_port(&mut self, node: NodeId) -> u16 {
        let next = self.ports.entry(node).or_insert(FIRST_FREE_PORT);
        loop {
            let port = *next;
            *next = port.checked_add(1).unwrap_or(FIRST_FREE_PORT);
            if self.bound.get(&(node, port)).is_none_or(Vec::is_empty) {
                return port;
            }
        }
    }

    /// Whether a connection to this address would be taken.
    pub(in crate::sim) fn is_open(&mut self, node: NodeId, address: SocketAddr) -> bool {
        self.reached(node, address).is_some_and(|bound| bound.arrivals.len() < BACKLOG)
    }

    /// Hands a connection to who listens; see [`Listeners::is_open`].
    pub(in crate::sim) fn arrive(&mut self, node: NodeId, arrival: Arrival) {
        if let Some(bound) = self.reached(node, arrival.local) {
            bound.arrivals.push_back(arrival);
            if let Some(waker) = bound.waker.take() {
                waker.wake();
            }
        }
    }

    /// The next connection, or else `waker` is woken when there is one. An error if the socket is
    /// gone.
    pub(in crate::sim) fn accept(
        &mut self,
        node: NodeId,
        address: SocketAddr,
        waker: &Waker,
    ) -> io::Result<Option<Arrival>> {
        let bound = self.exact(node, address).ok_or(ErrorKind::NotConnected)?;
        let arrival = bound.arrivals.pop_front();
        if arrival.is_none() {
            bound.waker = Some(waker.clone());
        }
        Ok(arrival)
    }

    /// Stops listening; what was not accepted is returned, to be reset.
    pub(in crate::sim) fn unbind(&mut self, node: NodeId, address: SocketAddr) -> Vec<Arrival> {
        let Some(bound) = self.bound.get_mut(&(node, address.port())) else { return Vec::new() };
        let mut arrivals = Vec::new();
        bound.retain_mut(|bound| {
            if bound.address == address {
                arrivals.extend(bound.arrivals.drain(..));
            }
            bound.address != address
        });
        arrivals
    }

    pub(super) fn remove_node(&mut self, node: NodeId) {
        self.bound.retain(|(own, _), _| *own != node);
    }

    fn exact(&mut self, node: NodeId, address: SocketAddr) -> Option<&mut Bound> {
        let bound = self.bound.get_mut(&(node, address.port()))?;
        bound.iter_mut().find(|bound| bound.address == address)
    }

    fn reached(&mut self, node: NodeId, address: SocketAddr) -> Option<&mut Bound> {
        let bound = self.bound.get_mut(&(node, address.port()))?;
        bound.iter_mut().find(|bound| answers(bound.address.ip(), address.ip()))
    }
}

fn answers(bound: IpAddr, asked: IpAddr) -> bool {
    bound == asked || bound.is_unspecified()
}
