//! A connection that speaks frames: requests go out, answers come back in order or are waited for in vain.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use bytes::Bytes;

/// How long an answer may take.
const ANSWER_SECONDS_MAX: u64 = 15;
/// No answer is longer.
const FRAME_MAX: usize = 256 << 20;

pub(crate) struct Connection {
    stream: TcpStream,
    pub(crate) correlation_id: i32,
}

/// What became of a request.
#[derive(Debug)]
pub(crate) enum Received {
    Frame(Bytes),
    /// The broker closed the connection.
    Closed,
    /// Nothing came in time.
    Silence,
}

impl Connection {
    pub(crate) fn open(address: &str) -> Result<Connection, String> {
        let stream = TcpStream::connect(address).map_err(|error| format!("{address}: {error}"))?;
        let patience = Some(Duration::from_secs(ANSWER_SECONDS_MAX));
        stream.set_read_timeout(patience).map_err(|error| error.to_string())?;
        stream.set_write_timeout(patience).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Connection { stream, correlation_id: 0 })
    }

    /// A frame, with its length in front. A connection that is closed already says so when it is read.
    pub(crate) fn send(&mut self, frame: &[u8]) {
        let mut bytes = (frame.len() as i32).to_be_bytes().to_vec();
        bytes.extend_from_slice(frame);
        let _ = self.stream.write_all(&bytes);
    }

    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    pub(crate) fn half_close(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    pub(crate) fn receive(&mut self) -> Received {
        let mut length = [0; 4];
        if let Err(error) = self.stream.read_exact(&mut length) {
            return ended(error.kind());
        }
        let length = i32::from_be_bytes(length);
        let Some(length) = usize::try_from(length).ok().filter(|length| *length <= FRAME_MAX)
        else {
            return Received::Closed;
        };
        let mut frame = Vec::new();
        match (&mut self.stream).take(length as u64).read_to_end(&mut frame) {
            Ok(read) if read == length => Received::Frame(frame.into()),
            Ok(_) => Received::Closed,
            Err(error) => ended(error.kind()),
        }
    }
}

fn ended(kind: ErrorKind) -> Received {
    match kind {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Received::Silence,
        _ => Received::Closed,
    }
}
