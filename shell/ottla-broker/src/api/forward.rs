//! Requests that the active controller decides: here where that is this node, and otherwise there, in
//! an Envelope (KIP-590). The client's answer is the controller's, byte for byte.
//!
//! A request whose controller lost its leadership, or its connection, before it answered is decided again by the
//! next one. Where the first decision was committed after all, the client is told of what it did itself:
//! TOPIC_ALREADY_EXISTS for its own topic. Kafka's brokers do the same (their channel to the controller puts
//! a request back at the head of its queue when it is disconnected or told NOT_CONTROLLER); nothing in the request
//! tells its two decisions apart.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::Env;
use ottla_metadata::controller::Refusal;
use ottla_protocol::messages::{EnvelopeRequest, RequestHeader};
use ottla_protocol::{ApiKey, EncodeError, Encoder, ErrorCode, Message, decode_request};

use super::answer::{self, Answer, RequestError};
use super::context::RequestContext;
use super::table::{PlainCall, Row};
use crate::drivers::controller::ControllerRequest;
use crate::rooms::Rooms;

/// How long a client's request waits for a controller that can take it.
const LIMIT: Duration = Duration::from_secs(20);

/// Serves a request of a row that is marked as forwarded.
pub(crate) async fn serve<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &mut RequestContext,
    row: &Row<E>,
    call: PlainCall<E>,
    body: Bytes,
) -> Result<Answer, RequestError> {
    let began = rooms.env.now();
    loop {
        context.undecided = None;
        if rooms.controller.is_active() {
            let answer = call(rooms, context, body.clone()).await?;
            if context.undecided != Some(ErrorCode::NotController) {
                return Ok(answer);
            }
        }
        let envelope = envelope(row.key, context, &body)?;
        let left = LIMIT.saturating_sub(rooms.env.now() - began);
        match rooms.channel.forward(&envelope, left).await {
            Ok(bytes) => return Ok(Answer { length: bytes.len(), chunks: vec![bytes] }),
            // It is this node by now.
            Err(ErrorCode::NotController) => {}
            Err(code) => {
                let client = context.client_id();
                let api = row.key.name();
                tracing::info!(client, api, error = code.name(), "a request was not forwarded");
                context.undecided = Some(code);
                return call(rooms, context, body).await;
            }
        }
    }
}

/// The handler of every request that the machine itself answers.
pub(crate) async fn decide<R: ControllerRequest, E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &mut RequestContext,
    body: Bytes,
) -> Result<Answer, RequestError> {
    let request = decode_request::<R>(body, context.version)?;
    let heartbeat_of = request.heartbeat_of();
    let response = match context.undecided.take() {
        Some(code) => request.refused(&Refusal::bare(code), context.version),
        None => rooms.controller.answer(request, context.version).await,
    };
    match R::outcome(&response) {
        ErrorCode::None => context.heartbeats_of = heartbeat_of.or(context.heartbeats_of),
        ErrorCode::NotController => context.undecided = Some(ErrorCode::NotController),
        _ => {}
    }
    answer::encode(R::KEY, context, &response)
}

/// The client's request as it came, with who it is from.
fn envelope(
    key: ApiKey,
    context: &RequestContext,
    body: &Bytes,
) -> Result<EnvelopeRequest, EncodeError> {
    let header = RequestHeader {
        request_api_key: key.code(),
        request_api_version: context.version,
        correlation_id: context.correlation_id,
        client_id: context.client_id.clone(),
        ..RequestHeader::default()
    };
    let mut encoder = Encoder::with_capacity(body.len() + 64);
    header.encode(&mut encoder, key.request_header_version(context.version))?;
    encoder.put_slice(body);
    let host = match context.peer.ip().to_canonical() {
        IpAddr::V4(ip) => Bytes::copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => Bytes::copy_from_slice(&ip.octets()),
    };
    Ok(EnvelopeRequest {
        request_data: encoder.into_bytes(),
        request_principal: context.principal.to_bytes(),
        client_host_address: host,
        ..Default::default()
    })
}
