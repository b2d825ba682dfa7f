//! Who asks, and how: what a handler knows of a request besides its body.

use std::net::SocketAddr;
use std::sync::Arc;

use ottla_protocol::{ErrorCode, Str};

use super::principal::Principal;

/// One request's circumstances. The connection keeps one and changes it from request to request.
#[derive(Debug, Clone)]
pub(crate) struct RequestContext {
    /// The version of the API that the request is written in, and the answer has to be.
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<Str>,
    /// Name and version of the client's software, as ApiVersions v3+ told.
    pub(crate) client_software: Option<ClientSoftware>,
    pub(crate) peer: SocketAddr,
    /// The address the client reached this node at: what it is told where nothing is advertised.
    pub(crate) local: SocketAddr,
    pub(crate) listener: Arc<str>,
    /// It came through a listener of controllers.
    pub(crate) is_controller: bool,
    /// Who asks, as far as anybody knows.
    pub(crate) principal: Principal,
    /// The broker that sent its last heartbeat through this connection, and its epoch: once the
    /// connection ends, the controller looks after it.
    pub(crate) heartbeats_of: Option<(i32, i64)>,
    /// Why the active controller was not asked, or that this node is not the one: for the answer of a
    /// request that only the controller decides.
    pub(crate) undecided: Option<ErrorCode>,
}

/// What a client says it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClientSoftware {
    pub(crate) name: Str,
    pub(crate) version: Str,
}

impl RequestContext {
    /// The client's id, or the empty text where it gave none.
    pub(crate) fn client_id(&self) -> &str {
        self.client_id.as_deref().unwrap_or_default()
    }

    /// The client's host as Kafka writes it into group metadata: `/127.0.0.1`.
    pub(crate) fn client_host(&self) -> String {
        format!("/{}", self.peer.ip().to_canonical())
    }
}
