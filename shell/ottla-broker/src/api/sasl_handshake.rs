//! SaslHandshake (key 17): v0-1. On a listener without SASL there is nothing to shake hands about:
//! ILLEGAL_SASL_STATE and no mechanisms, as Kafka says there.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    _rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    _request: SaslHandshakeRequest,
) -> SaslHandshakeResponse {
    SaslHandshakeResponse {
        error_code: ErrorCode::IllegalSaslState.code(),
        ..SaslHandshakeResponse::default()
    }
}
