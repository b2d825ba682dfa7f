//! A connection of the lean client: blocking, a frame at a time. Knows no topic and no load.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::Bytes;
use ottla_protocol::{Encoder, Message, Request};

use crate::fault::{Fault, Outcome};

pub(crate) const CLIENT_ID: &str = "ottla-bench";
/// Longest wait for an answer; beyond it the broker counts as gone.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// Largest answer that is taken.
const FRAME_BYTES_MAX: usize = 256 << 20;

pub(crate) struct Wire {
    pub(crate) stream: TcpStream,
    correlation: i32,
}

impl Wire {
    pub(crate) fn connect(address: &str) -> Outcome<Wire> {
        let stream = TcpStream::connect(first_address(address)?)
            .map_err(|error| Fault::new(format!("cannot connect to {address}: {error}")))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Wire { stream, correlation: 0 })
    }

    /// Sends one request and waits for its answer.
    pub(crate) fn call<R: Request>(&mut self, version: i16, request: &R) -> Outcome<R::Response> {
        self.correlation += 1;
        let frame = frame(self.correlation, version, request)?;
        self.stream.write_all(&frame)?;
        let mut answer = Vec::new();
        read_frame(&mut self.stream, &mut answer)?;
        decode::<R>(Bytes::from(answer), version)
    }
}

/// The whole frame of a request, with its length.
pub(crate) fn frame<R: Request>(correlation: i32, version: i16, request: &R) -> Outcome<Vec<u8>> {
    let mut e = Encoder::new();
    e.put_i16(R::KEY.code());
    e.put_i16(version);
    e.put_i32(correlation);
    e.put_i16(CLIENT_ID.len() as i16);
    e.put_slice(CLIENT_ID.as_bytes());
    if R::KEY.request_header_version(version) >= 2 {
        e.put_unsigned_varint(0);
    }
    request.encode(&mut e, version)?;
    let body = e.into_bytes();
    let mut frame = Vec::with_capacity(4 + body.len());
    frame.extend_from_slice(&(body.len() as i32).to_be_bytes());
    frame.extend_from_slice(&body);
    Ok(frame)
}

/// Where a frame of [`frame`] keeps its correlation id.
pub(crate) const CORRELATION_AT: usize = 8;

/// Reads an answer's body; `answer` is a frame without its length.
pub(crate) fn decode<R: Request>(answer: Bytes, version: i16) -> Outcome<R::Response> {
    let mut d = ottla_protocol::Decoder::new(answer);
    d.i32("correlation id")?;
    if R::KEY.response_header_version(version) >= 1 {
        d.unsigned_varint("header tags")?;
    }
    Ok(R::Response::decode(&mut d, version)?)
}

/// Reads one frame into `frame`, without its length.
pub(crate) fn read_frame(stream: &mut impl Read, frame: &mut Vec<u8>) -> Outcome<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).map_err(closed)?;
    let length = frame_length(length)?;
    frame.resize(length, 0);
    stream.read_exact(frame).map_err(closed)
}

pub(crate) fn frame_length(bytes: [u8; 4]) -> Outcome<usize> {
    let length = i32::from_be_bytes(bytes);
    match usize::try_from(length) {
        Ok(length) if (4..=FRAME_BYTES_MAX).contains(&length) => Ok(length),
        _ => Err(Fault::new(format!("an answer of {length} bytes"))),
    }
}

pub(crate) fn closed(error: io::Error) -> Fault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::new("the broker closed the connection"),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
            Fault::new(format!("no answer within {} s", ANSWER_MAX.as_secs()))
        }
        _ => Fault::from(error),
    }
}

fn first_address(address: &str) -> Outcome<std::net::SocketAddr> {
    let found = address.to_socket_addrs();
    let found = found.map_err(|error| Fault::new(format!("no address {address}: {error}")))?;
    let mut found: Vec<_> = found.collect();
    // The listeners of a benchmark are IPv4; a name may stand for both.
    found.sort_by_key(|address| !address.is_ipv4());
    found.first().copied().ok_or_else(|| Fault::new(format!("no address {address}")))
}
