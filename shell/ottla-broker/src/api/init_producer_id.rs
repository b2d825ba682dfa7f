//! InitProducerId (key 22): v0-5. A producer id for an idempotent producer.
//!
//! A transactional id is refused for good: transactions are not served, and a client must not retry
//! until its time is over to learn that.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use super::context::RequestContext;
use crate::rooms::Rooms;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    _context: &RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    // Both or neither: the id and epoch that the producer has had until now (KIP-360).
    let halves = (request.producer_id == -1) != (request.producer_epoch == -1);
    let outcome = match &request.transactional_id {
        _ if halves => Err(ErrorCode::InvalidRequest),
        None => rooms.producer_ids.next().await,
        Some(id) if id.is_empty() => Err(ErrorCode::InvalidRequest),
        Some(_) => Err(ErrorCode::UnsupportedVersion),
    };
    match outcome {
        Ok(producer_id) => {
            InitProducerIdResponse { producer_id, producer_epoch: 0, ..Default::default() }
        }
        Err(error) => InitProducerIdResponse {
            error_code: error.code(),
            producer_id: -1,
            producer_epoch: -1,
            ..InitProducerIdResponse::default()
        },
    }
}
