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

/// The nodes that serve, in the order of their ids. One that is about to stop does so until it is fenced: it leads until
/// others do.
pub(crate) fn live_nodes<E: Env>(
    rooms: &Rooms<E>,
    context: &RequestContext,
    image: &MetadataImage,
) -> Vec<Node> {
    let serving = image.brokers.iter().filter(|broker| !broker.fenced);
    serving.filter_map(|broker| node(rooms, context, broker)).collect()
}

/// Whom clients shall take for the controller: any node passes on what is the controller's. This one answers, so it can be
/// reached; where it is not among the nodes that are told of any more, another one.
pub(crate) fn controller(own: i32, told: impl Iterator<Item = i32> + Clone) -> i32 {
    let mut all = told.clone();
    if all.any(|id| id == own) { own } else { told.into_iter().next().unwrap_or(-1) }
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

#[cfg(test)]
mod tests {
    use super::controller;

    #[test]
    fn the_controller_is_a_node_that_is_told_of() {
        assert_eq!(controller(2, [1, 2, 3].into_iter()), 2);
        assert_eq!(controller(2, [1, 3].into_iter()), 1, "this one stops");
        assert_eq!(controller(2, [].into_iter()), -1);
    }
}
