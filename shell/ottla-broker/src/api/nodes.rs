//! Nodes as clients are told of them: by the listener they came through, and where nothing is
//! advertised, at the address they already reached.

use ottla_config::Advertised;
use ottla_env::Env;
use ottla_metadata::image::{Broker, MetadataImage};
use ottla_protocol::Str;

use super::context::RequestContext;
use crate::rooms::Rooms;

/// Where a client finds a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) id: i32,
    pub(crate) host: Str,
    pub(crate) port: i32,
    pub(crate) rack: Option<Str>,
    pub(crate) is_fenced: bool,
}

/// The nodes that serve, in the order of their ids.
pub(crate) fn live_nodes<E: Env>(
    rooms: &Rooms<E>,
    context: &RequestContext,
    image: &MetadataImage,
) -> Vec<Node> {
    image.live_brokers().filter_map(|broker| node(rooms, context, broker)).collect()
}

/// A node, if it has the listener the client uses.
pub(crate) fn node<E: Env>(
    rooms: &Rooms<E>,
    context: &RequestContext,
    broker: &Broker,
) -> Option<Node> {
    let (host, port) = if broker.id == rooms.node.node_id {
        own_address(rooms, context)
    } else {
        let endpoint = broker.endpoint(&context.listener)?;
        (endpoint.host.clone(), endpoint.port)
    };
    Some(Node {
        id: broker.id,
        host,
        port: port.into(),
        rack: broker.rack.clone(),
        is_fenced: broker.fenced,
    })
}

fn own_address<E: Env>(rooms: &Rooms<E>, context: &RequestContext) -> (Str, u16) {
    let config = rooms.config.get();
    let listener = config.listeners.iter().find(|listener| listener.name == *context.listener);
    match listener.map(|listener| &listener.advertised) {
        // Port 0 was replaced by a free one when it was bound.
        Some(Advertised::At { host, port: 0 }) => (Str::copy_from(host), context.local.port()),
        Some(Advertised::At { host, port }) => (Str::copy_from(host), *port),
        Some(Advertised::Auto) | None => {
            let address = context.local.ip().to_canonical();
            (Str::from(address.to_string()), context.local.port())
        }
    }
}
