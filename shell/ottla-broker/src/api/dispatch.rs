//! From a frame to the row of the table that serves it. It never answers itself.

use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::RequestHeader;
use ottla_protocol::{ApiKey, Decoder, Message, Str};

use super::answer::RequestError;
use super::context::RequestContext;
use super::forward;
use super::table::{self, PlainCall, PlainFuture, Row};
use crate::rooms::Rooms;

/// A request whose header has been read.
pub(crate) struct Request<E: Env> {
    pub(crate) row: &'static Row<E>,
    pub(crate) body: Bytes,
}

/// Reads the header into `context` and finds who serves the request.
pub(crate) fn request<E: Env>(
    frame: Bytes,
    context: &mut RequestContext,
) -> Result<Request<E>, RequestError> {
    let mut decoder = Decoder::new(frame.clone());
    decoder.enter("RequestHeader", 1);
    let code = decoder.i16("RequestHeader.RequestApiKey")?;
    let version = decoder.i16("RequestHeader.RequestApiVersion")?;
    let key = ApiKey::from_i16(code).ok_or(RequestError::UnknownApi(code))?;
    let row = table::row::<E>(key, context.is_controller).ok_or(RequestError::UnknownApi(code))?;
    let is_supported = row.versions.contains(&version);
    // ApiVersions is answered in any version, or clients could not learn what is served.
    if !is_supported && key != ApiKey::ApiVersions {
        return Err(RequestError::UnsupportedVersion { key, version });
    }
    let mut decoder = Decoder::new(frame);
    let header = RequestHeader::decode(&mut decoder, key.request_header_version(version))?;
    context.version = version;
    context.correlation_id = header.correlation_id;
    remember_client_id(context, header.client_id);
    Ok(Request { row, body: decoder.rest() })
}

/// Serves it: here, or where the controller is. At a controller's listener it is asked of this
/// controller and of no other.
pub(crate) fn serve<'a, E: Env>(
    rooms: &'a Arc<Rooms<E>>,
    context: &'a mut RequestContext,
    row: &'static Row<E>,
    call: PlainCall<E>,
    body: Bytes,
) -> PlainFuture<'a> {
    match row.forwarded && !context.is_controller {
        true => Box::pin(forward::serve(rooms, context, row, call, body)),
        false => call(rooms, context, body),
    }
}

/// Keeps the client's id across requests without keeping its frame alive.
fn remember_client_id(context: &mut RequestContext, client_id: Option<Str>) {
    let same = match (&context.client_id, &client_id) {
        (Some(old), Some(new)) => old.as_bytes() == new.as_bytes(),
        (old, new) => old.is_none() && new.is_none(),
    };
    if !same {
        context.client_id = client_id.map(|id| id.detach());
    }
}
