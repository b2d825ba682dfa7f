//! Requests from Kafka's JSON to bytes and answers back, for every API by its key. Decides nothing.

use bytes::Bytes;
use ottla_protocol::json::{DEFAULTS, Json, Value};
use ottla_protocol::messages::*;
use ottla_protocol::{
    ApiKey, Decoder, Encoder, Message, Request, Str, decode_exact, encode_to_bytes,
};

/// The API of Kafka's name, such as `ListOffsets`.
pub(crate) fn api(name: &str) -> Option<ApiKey> {
    ApiKey::ALL.iter().copied().find(|key| key.name() == name)
}

/// The versions that Kafka 4.4.0 serves.
pub(crate) fn served(key: ApiKey) -> std::ops::RangeInclusive<i16> {
    let all = key.versions();
    match key.is_latest_version_unstable() {
        true => *all.start()..=all.end() - 1,
        false => all,
    }
}

/// A body in `version`; fields that are not given stay at their defaults.
pub(crate) fn request(key: ApiKey, version: i16, body: &Value) -> Result<Bytes, String> {
    let mut body = body.clone();
    say_defaults(&mut body);
    macro_rules! each {
        ($request:ident) => {
            if $request::KEY == key {
                return encode::<$request>(version, &body);
            }
        };
    }
    ottla_protocol::for_each_request!(each);
    Err(format!("{} has no request", key.name()))
}

/// The answer's body as JSON.
pub(crate) fn response(key: ApiKey, version: i16, body: Bytes) -> Result<Value, String> {
    macro_rules! each {
        ($request:ident) => {
            if $request::KEY == key {
                return decode::<<$request as Request>::Response>(version, body);
            }
        };
    }
    ottla_protocol::for_each_request!(each);
    Err(format!("{} has no answer", key.name()))
}

/// A request's header; `version` may be one that nobody serves.
pub(crate) fn header(key: i16, version: i16, correlation_id: i32, client_id: &str) -> Vec<u8> {
    let header = RequestHeader {
        request_api_key: key,
        request_api_version: version,
        correlation_id,
        client_id: Some(Str::copy_from(client_id)),
        ..RequestHeader::default()
    };
    let form = ApiKey::from_i16(key).map_or(1, |key| key.request_header_version(version));
    let mut encoder = Encoder::new();
    header.encode(&mut encoder, form).expect("a header can always be written");
    encoder.into_bytes().to_vec()
}

/// Takes the header off an answer; what is left is the body.
pub(crate) fn strip_header(key: ApiKey, version: i16, frame: Bytes) -> Result<Bytes, String> {
    let mut decoder = Decoder::new(frame.clone());
    ResponseHeader::decode(&mut decoder, key.response_header_version(version))
        .map_err(|error| error.to_string())?;
    Ok(frame.slice(frame.len() - decoder.remaining()..))
}

fn encode<R: Request + Json>(version: i16, body: &Value) -> Result<Bytes, String> {
    let request = R::from_json(body, version).map_err(|error| error.to_string())?;
    encode_to_bytes(&request, version).map_err(|error| error.to_string())
}

fn decode<M: Message + Json>(version: i16, body: Bytes) -> Result<Value, String> {
    let message: M = decode_exact(body, version).map_err(|error| error.to_string())?;
    Ok(message.to_json(version))
}

fn say_defaults(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(say_defaults);
            fields.insert(DEFAULTS.to_owned(), Value::Null);
        }
        Value::Array(values) => values.iter_mut().for_each(say_defaults),
        _ => {}
    }
}
