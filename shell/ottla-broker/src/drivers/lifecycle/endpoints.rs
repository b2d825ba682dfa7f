//! The addresses a node is known by: the advertised one of each listener, or the one that was bound.

use std::net::SocketAddr;

use ottla_config::{Advertised, Listener};
use ottla_metadata::image::Endpoint;
use ottla_protocol::Str;

pub(super) fn endpoints(listeners: &[&Listener], bound: &[(String, SocketAddr)]) -> Vec<Endpoint> {
    let endpoint = listeners.iter().map(|listener| {
        let address = bound.iter().find(|(name, _)| *name == listener.name);
        let port = address.map_or(listener.port, |(_, address)| address.port());
        let (host, port) = match &listener.advertised {
            // Port 0 was replaced by a free one when it was bound.
            Advertised::At { host, port: 0 } => (host.as_str(), port),
            Advertised::At { host, port } => (host.as_str(), *port),
            Advertised::Auto if listener.host.is_empty() => ("localhost", port),
            Advertised::Auto => (listener.host.as_str(), port),
        };
        Endpoint {
            name: Str::copy_from(&listener.name),
            host: Str::copy_from(host),
            port,
            security_protocol: listener.protocol.id(),
        }
    });
    endpoint.collect()
}
