//! An answer on its way to the socket: encoded, but not joined, so that record batches stay where
//! they are.

use bytes::Bytes;
use ottla_protocol::messages::ResponseHeader;
use ottla_protocol::{ApiKey, DecodeError, EncodeError, Encoder, Message};

use super::context::RequestContext;
use crate::log::FileRange;

/// The bytes of one response, header included, length field excluded.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) length: usize,
}

/// A piece of a response: bytes in memory, or a range of a file that is sent as it is.
pub(crate) enum Part<F> {
    Bytes(Bytes),
    File(FileRange<F>),
}

/// A response with file ranges in it.
pub(crate) struct PartedAnswer<F> {
    pub(crate) parts: Vec<Part<F>>,
    pub(crate) length: usize,
}

/// Why a request gets no answer and its connection is closed, as Kafka does.
#[derive(Debug)]
pub(crate) enum RequestError {
    /// The header or the body is not what its version says.
    Malformed(DecodeError),
    /// A key that Kafka has not given out, or that this node does not serve.
    UnknownApi(i16),
    /// A version outside the advertised range.
    UnsupportedVersion { key: ApiKey, version: i16 },
    /// A request without acknowledgement failed; closing is the only way to say so.
    Unacknowledged(&'static str),
    /// The answer cannot be written in the version asked for: a fault of this node.
    Unwritable(EncodeError),
}

impl std::fmt::Display for RequestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RequestError::Malformed(error) => write!(f, "malformed request: {error}"),
            RequestError::UnknownApi(key) => write!(f, "unknown API key {key}"),
            RequestError::UnsupportedVersion { key, version } => {
                write!(f, "{} version {version} is not served", key.name())
            }
            RequestError::Unacknowledged(error) => {
                write!(f, "produce with acks=0 failed: {error}")
            }
            RequestError::Unwritable(error) => write!(f, "the answer cannot be written: {error}"),
        }
    }
}

impl From<DecodeError> for RequestError {
    fn from(error: DecodeError) -> Self {
        RequestError::Malformed(error)
    }
}

impl From<EncodeError> for RequestError {
    fn from(error: EncodeError) -> Self {
        RequestError::Unwritable(error)
    }
}

/// Room for most answers without growing.
const USUAL_BYTES: usize = 256;

/// What of a request its answer repeats: enough to write the answer later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub(crate) key: ApiKey,
    pub(crate) version: i16,
    pub(crate) correlation_id: i32,
}

impl Envelope {
    pub(crate) fn new(key: ApiKey, context: &RequestContext) -> Envelope {
        Envelope { key, version: context.version, correlation_id: context.correlation_id }
    }

    /// An encoder that has written the response header.
    pub(crate) fn begin(self) -> Result<Encoder, EncodeError> {
        let mut encoder = Encoder::with_capacity(USUAL_BYTES);
        let correlation_id = self.correlation_id;
        let header = ResponseHeader { correlation_id, ..ResponseHeader::default() };
        header.encode(&mut encoder, self.key.response_header_version(self.version))?;
        Ok(encoder)
    }

    /// A whole answer.
    pub(crate) fn encode<M: Message>(self, response: &M) -> Result<Answer, RequestError> {
        let mut encoder = self.begin()?;
        response.encode(&mut encoder, self.version)?;
        Ok(finish(encoder))
    }
}

/// The end of what [`Envelope::begin`] began.
pub(crate) fn finish(encoder: Encoder) -> Answer {
    let length = encoder.len();
    Answer { chunks: encoder.into_chunks(), length }
}

/// A whole answer in the context's version.
pub(crate) fn encode<M: Message>(
    key: ApiKey,
    context: &RequestContext,
    response: &M,
) -> Result<Answer, RequestError> {
    Envelope::new(key, context).encode(response)
}
