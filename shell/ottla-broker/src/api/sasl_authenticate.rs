//! SaslAuthenticate (key 36): v0-2. On a listener without SASL every client is authenticated from
//! the start, so this comes too late: ILLEGAL_SASL_STATE, as Kafka says there.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::messages::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use crate::rooms::Rooms;

const TOO_LATE: Str =
    Str::from_static("SaslAuthenticate request received after successful authentication");

pub(crate) async fn handle<E: Env>(
    _rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    _request: SaslAuthenticateRequest,
) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse {
        error_code: ErrorCode::IllegalSaslState.code(),
        error_message: Some(TOO_LATE),
        ..SaslAuthenticateResponse::default()
    }
}
