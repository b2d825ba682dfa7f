//! A connection that speaks Kafka's protocol, with no cleverness between the test and the wire.
//!
//! Requests may be sent ahead of answers; answers come in the order of the requests.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::{Env, Stream};
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, RequestHeader, ResponseHeader,
};
use ottla_protocol::{ApiKey, Decoder, Encoder, Message, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A broker that lives answers sooner than this.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// No answer in a simulation is longer.
const ANSWER_MAX: usize = 16 << 20;

/// Why a request has no answer. The connection is of no use any more.
#[derive(Debug)]
pub enum WireError {
    Io(io::Error),
    /// No answer in time.
    Silence,
    /// An answer that is none.
    Nonsense(String),
    /// The broker does not offer the API.
    Unsupported(ApiKey),
}

impl std::fmt::Display for WireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            WireError::Io(error) => error.fmt(f),
            WireError::Silence => f.write_str("no answer in time"),
            WireError::Nonsense(text) => f.write_str(text),
            WireError::Unsupported(key) => write!(f, "{} is not offered", key.name()),
        }
    }
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> WireError {
        WireError::Io(error)
    }
}

/// A connection to a broker.
pub struct Connection<E: Env> {
    env: E,
    stream: E::Stream,
    next_correlation: i32,
    /// Oldest and newest version offered, by API.
    offered: BTreeMap<i16, (i16, i16)>,
}

/// A request on its way.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    correlation: i32,
    version: i16,
}

impl<E: Env> Connection<E> {
    /// Connects and learns what the broker offers.
    ///
    /// # Errors
    /// If there is no broker, or none that speaks Kafka's protocol.
    pub async fn open(env: &E, address: SocketAddr) -> Result<Connection<E>, WireError> {
        let connected = env.timeout(ANSWER_LIMIT, env.connect(address)).await;
        let stream = connected.map_err(|_| WireError::Silence)??;
        let offered = BTreeMap::from([(ApiKey::ApiVersions.code(), (0, 3))]);
        let mut connection = Connection { env: env.clone(), stream, next_correlation: 1, offered };
        let request = ApiVersionsRequest {
            client_software_name: "ottla-sim".into(),
            client_software_version: "1".into(),
            ..ApiVersionsRequest::default()
        };
        let response: ApiVersionsResponse = connection.call(&request, 3).await?;
        let range = |api: &ottla_protocol::messages::api_versions_response::ApiVersion| {
            (api.api_key, (api.min_version, api.max_version))
        };
        connection.offered = response.api_keys.iter().map(range).collect();
        Ok(connection)
    }

    /// Whether the broker offers the API.
    pub fn offers(&self, key: ApiKey) -> bool {
        self.offered.contains_key(&key.code())
    }

    /// Sends a request in the newest version offered that is not above `newest`, and awaits the answer.
    ///
    /// # Errors
    /// If there is none.
    pub async fn call<R: Request>(
        &mut self,
        request: &R,
        newest: i16,
    ) -> Result<R::Response, WireError> {
        let sent = self.send(request, newest).await?;
        self.receive::<R>(sent).await
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If the API is not offered, or the connection is broken or stuck.
    pub async fn send<R: Request>(&mut self, request: &R, newest: i16) -> Result<Sent, WireError> {
        let range = self.offered.get(&R::KEY.code());
        let (min, max) = *range.ok_or(WireError::Unsupported(R::KEY))?;
        let version = max.min(newest);
        if version < min {
            return Err(WireError::Unsupported(R::KEY));
        }
        let correlation = self.next_correlation;
        self.next_correlation = correlation.wrapping_add(1);
        let frame = frame(request, version, correlation).map_err(WireError::Nonsense)?;
        let written = self.env.timeout(ANSWER_LIMIT, self.stream.write_all(&frame)).await;
        written.map_err(|_| WireError::Silence)??;
        Ok(Sent { correlation, version })
    }

    /// Awaits the answer to the oldest request that has none.
    ///
    /// # Errors
    /// If there is none, or one to another request.
    pub async fn receive<R: Request>(&mut self, sent: Sent) -> Result<R::Response, WireError> {
        let read = self.env.timeout(ANSWER_LIMIT, read_frame(&mut self.stream)).await;
        let frame = read.map_err(|_| WireError::Silence)??;
        let mut decoder = Decoder::new(frame);
        let wrong = |error| WireError::Nonsense(format!("{}: {error}", R::KEY.name()));
        let header_version = R::KEY.response_header_version(sent.version);
        let header = ResponseHeader::decode(&mut decoder, header_version).map_err(wrong)?;
        if header.correlation_id != sent.correlation {
            let (got, asked) = (header.correlation_id, sent.correlation);
            return Err(WireError::Nonsense(format!("answer {got} to question {asked}")));
        }
        let response = R::Response::decode(&mut decoder, sent.version).map_err(wrong)?;
        decoder.finish().map_err(wrong)?;
        Ok(response)
    }

    /// The address that was dialled.
    ///
    /// # Errors
    /// If the socket is gone.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }
}

fn frame<R: Request>(request: &R, version: i16, correlation: i32) -> Result<Vec<u8>, String> {
    let header = RequestHeader {
        request_api_key: R::KEY.code(),
        request_api_version: version,
        correlation_id: correlation,
        client_id: Some("ottla-sim".into()),
        ..RequestHeader::default()
    };
    let mut encoder = Encoder::new();
    let header_version = R::KEY.request_header_version(version);
    header.encode(&mut encoder, header_version).map_err(|error| error.to_string())?;
    request.encode(&mut encoder, version).map_err(|error| error.to_string())?;
    let body = encoder.into_bytes();
    let len = i32::try_from(body.len()).map_err(|error| error.to_string())?;
    let mut frame = len.to_be_bytes().to_vec();
    frame.extend_from_slice(&body);
    Ok(frame)
}

async fn read_frame<S: Stream>(stream: &mut S) -> Result<Bytes, WireError> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).await?;
    let len = usize::try_from(i32::from_be_bytes(len)).unwrap_or(usize::MAX);
    if len > ANSWER_MAX {
        return Err(WireError::Nonsense(format!("an answer of {len} bytes")));
    }
    let mut body = vec![0; len];
    stream.read_exact(&mut body).await?;
    Ok(Bytes::from(body))
}
