//! Where replicas can be reached: this node's own controller listeners, and what configuration and peers name.

use std::net::SocketAddr;

use ottla_config::{Advertised, BrokerConfig, HostPort, Listener};
use ottla_env::Env;
use ottla_raft::Endpoint;
use ottla_raft::replica::Endpoints;

use super::RaftDriver;

/// As a client writes it: an IPv6 address stands in brackets.
pub(super) fn host_and_port(endpoint: &Endpoint) -> String {
    let Endpoint { host, port } = endpoint.clone();
    HostPort { host, port }.to_string()
}

/// This node's controller listeners by name. The voters' list of the configuration knows its own address best.
pub(super) fn own(config: &BrokerConfig, bound: &[(String, SocketAddr)]) -> Endpoints {
    let named = config.quorum.voters.iter().find(|voter| voter.id == config.node_id);
    let controllers = config.listeners.iter().filter(|listener| listener.is_controller);
    let mut own: Endpoints = controllers
        .filter_map(|listener| {
            let (_, address) = bound.iter().find(|(name, _)| *name == listener.name)?;
            Some((listener.name.clone(), advertised(listener, address.port())))
        })
        .collect();
    if let (Some(named), Some(first)) = (named, own.get_mut(&listener_name(config))) {
        *first = Endpoint { host: named.host.clone(), port: named.port };
    }
    own
}

/// The listener that replicas speak over.
pub(super) fn listener_name(config: &BrokerConfig) -> String {
    let names = &config.listener.controller_listener_names;
    names.first().cloned().unwrap_or_else(|| "CONTROLLER".to_owned())
}

/// Whether other machines can be told where this node's listener of the quorum is: a wildcard is no address, and the
/// loopback that stands for it would send them to themselves.
pub(super) fn is_reachable(config: &BrokerConfig) -> bool {
    let name = listener_name(config);
    let listener = config.listeners.iter().find(|listener| listener.name == name);
    listener.is_some_and(|listener| {
        !is_wildcard(&listener.host) || matches!(listener.advertised, Advertised::At { .. })
    })
}

fn is_wildcard(host: &str) -> bool {
    matches!(host, "" | "0.0.0.0" | "::")
}

fn advertised(listener: &Listener, bound_port: u16) -> Endpoint {
    match &listener.advertised {
        Advertised::At { host, port: 0 } => Endpoint { host: host.clone(), port: bound_port },
        Advertised::At { host, port } => Endpoint { host: host.clone(), port: *port },
        Advertised::Auto => {
            let host = if is_wildcard(&listener.host) { "localhost" } else { &listener.host };
            Endpoint { host: host.to_owned(), port: bound_port }
        }
    }
}

impl<E: Env> RaftDriver<E> {
    /// host:port of this node's controller listener, if it has one.
    pub(super) fn own_address(&self) -> Option<String> {
        self.own_endpoints.get(&self.listener).map(host_and_port)
    }
}

#[cfg(test)]
mod tests;
