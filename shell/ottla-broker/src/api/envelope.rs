//! Envelope (key 58): v0, on controller listeners. A broker hands on a client's request that only the
//! active controller can decide (KIP-590). What is inside is served as if the client had sent it here.
//!
//! NOT_CONTROLLER of the request inside becomes that of the envelope, so that the broker asks the node
//! that leads now.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::{EnvelopeRequest, EnvelopeResponse};
use ottla_protocol::{ApiKey, ErrorCode, decode_request};

use super::answer::{self, Answer, RequestError};
use super::context::RequestContext;
use super::dispatch;
use super::principal::Principal;
use super::table::Call;
use crate::rooms::Rooms;

pub(crate) async fn serve<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &mut RequestContext,
    body: Bytes,
) -> Result<Answer, RequestError> {
    let request: EnvelopeRequest = decode_request(body, context.version)?;
    let response = match inside(rooms, context, request).await {
        Ok(bytes) => EnvelopeResponse { response_data: Some(bytes), ..Default::default() },
        Err(code) => EnvelopeResponse { error_code: code.code(), ..Default::default() },
    };
    answer::encode(ApiKey::Envelope, context, &response)
}

/// Serves what is inside and answers with the bytes of its answer.
async fn inside<E: Env>(
    rooms: &Arc<Rooms<E>>,
    outer: &RequestContext,
    envelope: EnvelopeRequest,
) -> Result<Bytes, ErrorCode> {
    let principal = envelope.request_principal.and_then(Principal::from_bytes);
    let principal = principal.ok_or(ErrorCode::PrincipalDeserializationFailure)?;
    let host = address(&envelope.client_host_address).ok_or(ErrorCode::InvalidRequest)?;
    if !rooms.controller.is_active() {
        return Err(ErrorCode::NotController);
    }
    let mut context = RequestContext {
        client_software: None,
        // The port is not told.
        peer: SocketAddr::new(host, 0),
        principal,
        heartbeats_of: None,
        undecided: None,
        ..outer.clone()
    };
    let request = dispatch::request::<E>(envelope.request_data, &mut context);
    let request = request.map_err(|error| match error {
        RequestError::UnsupportedVersion { .. } => ErrorCode::UnsupportedVersion,
        _ => ErrorCode::InvalidRequest,
    })?;
    let call = match request.row.call {
        Call::Plain(call) if request.row.forwarded => call,
        // Only what clients may ask of a controller through a broker: never another envelope.
        _ => return Err(ErrorCode::InvalidRequest),
    };
    let answer = call(rooms, &mut context, request.body).await;
    let answer = answer.map_err(|_| ErrorCode::InvalidRequest)?;
    match context.undecided {
        Some(ErrorCode::NotController) => Err(ErrorCode::NotController),
        _ => Ok(joined(answer)),
    }
}

/// The bytes of an IPv4 or IPv6 address.
fn address(bytes: &Bytes) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(&bytes[..]).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(&bytes[..]).ok().map(IpAddr::from),
        _ => None,
    }
}

fn joined(answer: Answer) -> Bytes {
    match <[Bytes; 1]>::try_from(answer.chunks) {
        Ok([only]) => only,
        Err(chunks) => chunks.concat().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_four_or_sixteen_bytes() {
        let of = |bytes: &'static [u8]| address(&Bytes::from_static(bytes));
        assert_eq!(of(&[127, 0, 0, 1]), Some(IpAddr::from([127, 0, 0, 1])));
        assert_eq!(of(&[0; 16]), Some(IpAddr::from([0; 16])));
        assert_eq!(of(b"localhost"), None);
        assert_eq!(of(b""), None);
    }
}
