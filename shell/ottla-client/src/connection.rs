//! One connection to one broker: requests out, pipelined, answers back by correlation id.
//!
//! Two tasks own the two directions, so a caller that goes away never leaves half a frame behind.
//! A connection that failed stays failed: whoever holds it asks for another. It never retries.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ottla_env::{Env, Stream, Task};
use ottla_protocol::messages::{RequestHeader, ResponseHeader};
use ottla_protocol::{Decoder, Encoder, Message, Request, Str};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot, watch};

use crate::error::{Error, Result};
use crate::options::{ClientOptions, host_and_port};

mod versions;

use versions::Versions;

/// An open connection whose peer has told which requests it serves.
pub struct Connection<E: Env> {
    env: E,
    address: Arc<str>,
    client_id: Str,
    request_timeout: Duration,
    versions: Versions,
    correlation: AtomicI32,
    waiting: Arc<Waiting>,
    frames: mpsc::Sender<Vec<Bytes>>,
    reader: Task,
}

/// Who waits for which answer, or why nobody will get one.
struct Waiting {
    state: Mutex<WaitingState>,
    /// Nothing more is to be written.
    ended: watch::Sender<bool>,
}

struct WaitingState {
    callers: BTreeMap<i32, oneshot::Sender<Result<Bytes>>>,
    failed: Option<Error>,
}

/// Requests that may be on their way to the writer; further callers wait.
const FRAMES_QUEUED_MAX: usize = 64;
/// The largest answer: Kafka's own limit on requests, with room for a record beyond it.
const FRAME_BYTES_MAX: usize = 256 << 20;

impl<E: Env> Connection<E> {
    /// Connects and learns the peer's versions. Of the options it heeds the client id, the time limits and
    /// `topics_by_id`.
    ///
    /// # Errors
    /// If no connection comes about in time, or the peer speaks no common version.
    pub async fn open(env: &E, address: &str, options: &ClientOptions) -> Result<Self> {
        let connect = |reason: String| Error::Connect { address: address.to_owned(), reason };
        let Some((host, port)) = host_and_port(address) else {
            return Err(Error::Invalid(format!("\"{address}\" is not host:port")));
        };
        let opened = env.timeout(options.connect_timeout, async {
            let mut last = connect("the name has no address".to_owned());
            for socket in env.resolve(host, port).await.map_err(|e| connect(e.to_string()))? {
                match env.connect(socket).await {
                    Ok(stream) => return Self::negotiate(env, address, stream, options).await,
                    Err(error) => last = connect(error.to_string()),
                }
            }
            Err(last)
        });
        let limit = options.connect_timeout;
        opened
            .await
            .unwrap_or_else(|_| Err(connect(format!("no answer within {} ms", limit.as_millis()))))
    }

    async fn negotiate(
        env: &E,
        address: &str,
        stream: E::Stream,
        options: &ClientOptions,
    ) -> Result<Self> {
        let (reader, writer) = stream.split();
        let address: Arc<str> = address.into();
        let waiting = Arc::new(Waiting {
            state: Mutex::new(WaitingState { callers: BTreeMap::new(), failed: None }),
            ended: watch::Sender::new(false),
        });
        let (frames, queue) = mpsc::channel(FRAMES_QUEUED_MAX);
        let writing = write_frames(writer, queue, waiting.clone(), address.clone());
        drop(env.spawn("client-write", writing));
        let reader =
            env.spawn("client-read", read_frames(reader, waiting.clone(), address.clone()));
        let mut connection = Connection {
            env: env.clone(),
            address,
            client_id: Str::copy_from(&options.client_id),
            request_timeout: options.request_timeout,
            versions: Versions::unknown(options.topics_by_id),
            correlation: AtomicI32::new(0),
            waiting,
            frames,
            reader,
        };
        connection.versions = versions::ask(&connection).await?;
        Ok(connection)
    }

    /// Where it leads.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is of no more use.
    pub fn is_failed(&self) -> bool {
        self.waiting.state.lock().failed.is_some()
    }

    /// The version that would be used for a request.
    ///
    /// # Errors
    /// If the peer does not serve the request, or in no version known here.
    pub fn version_of<R: Request>(&self) -> Result<i16> {
        self.versions.choose::<R>(&self.address)
    }

    /// Sends a request in the newest version both sides know and awaits its answer for the usual
    /// time and `patience` more (what the broker was asked to wait).
    ///
    /// # Errors
    /// If there is no common version, the connection ends first, or the time passes, which ends it.
    pub async fn call<R: Request>(&self, request: &R, patience: Duration) -> Result<R::Response> {
        self.call_in_turn(request, patience, None).await
    }

    /// The same; `turn` is dropped as soon as the request has its place in the queue to the broker,
    /// so that another may follow and not overtake it.
    pub(crate) async fn call_in_turn<R: Request>(
        &self,
        request: &R,
        patience: Duration,
        turn: Option<oneshot::Sender<()>>,
    ) -> Result<R::Response> {
        let version = self.version_of::<R>()?;
        let answer = self.send(request, version).await?;
        drop(turn);
        let limit = self.request_timeout + patience;
        let body = match self.env.timeout(limit, answer).await {
            Ok(Ok(body)) => body?,
            Ok(Err(_)) => return Err(self.failure()),
            Err(_) => return Err(self.time_is_up(R::NAME, limit)),
        };
        self.decode::<R>(body, version)
    }

    /// Sends a request that has no answer (produce with acks 0).
    pub(crate) async fn send_only<R: Request>(&self, request: &R) -> Result<()> {
        let version = self.version_of::<R>()?;
        let correlation = self.correlation.fetch_add(1, Ordering::Relaxed);
        let frame = self.encode(request, version, correlation)?;
        self.enqueue(R::NAME, frame).await
    }

    /// Gives a frame to the writer, which takes no more of them while the peer takes nothing in. A
    /// peer that does not for the time of an answer is gone, whether it says so or not.
    async fn enqueue(&self, name: &str, frame: Vec<Bytes>) -> Result<()> {
        let frame = match self.frames.try_send(frame) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(self.failure()),
            Err(TrySendError::Full(frame)) => frame,
        };
        match self.env.timeout(self.request_timeout, self.frames.send(frame)).await {
            Ok(sent) => sent.map_err(|_| self.failure()),
            Err(_) => Err(self.time_is_up(name, self.request_timeout)),
        }
    }

    /// What comes after a time-out may be answered no better, and out of step: the connection ends.
    fn time_is_up(&self, name: &str, after: Duration) -> Error {
        let error = Error::Timeout { doing: format!("{name} to {}", self.address), after };
        self.waiting.fail(error.clone());
        self.reader.abort();
        error
    }

    /// Queues a request; its answer comes through the receiver, as the bytes after the length.
    async fn send<R: Request>(
        &self,
        request: &R,
        version: i16,
    ) -> Result<oneshot::Receiver<Result<Bytes>>> {
        let correlation = self.correlation.fetch_add(1, Ordering::Relaxed);
        let frame = self.encode(request, version, correlation)?;
        let (tell, answer) = oneshot::channel();
        self.waiting.register(correlation, tell)?;
        self.enqueue(R::NAME, frame).await?;
        Ok(answer)
    }

    fn encode<R: Request>(
        &self,
        request: &R,
        version: i16,
        correlation: i32,
    ) -> Result<Vec<Bytes>> {
        let invalid = |error: ottla_protocol::EncodeError| {
            Error::Invalid(format!("{} cannot be sent: {error}", R::NAME))
        };
        let header = RequestHeader {
            request_api_key: R::KEY.code(),
            request_api_version: version,
            correlation_id: correlation,
            client_id: Some(self.client_id.clone()),
            ..RequestHeader::default()
        };
        let mut encoder = Encoder::new();
        header.encode(&mut encoder, R::KEY.request_header_version(version)).map_err(invalid)?;
        request.encode(&mut encoder, version).map_err(invalid)?;
        let length = i32::try_from(encoder.len())
            .map_err(|_| Error::Invalid(format!("{} is larger than a frame can be", R::NAME)))?;
        let mut chunks = vec![Bytes::copy_from_slice(&length.to_be_bytes())];
        chunks.extend(encoder.into_chunks());
        Ok(chunks)
    }

    fn decode<R: Request>(&self, body: Bytes, version: i16) -> Result<R::Response> {
        let protocol = |error: &dyn std::fmt::Display| Error::Protocol {
            address: self.address.to_string(),
            reason: error.to_string(),
        };
        let mut decoder = Decoder::new(body);
        ResponseHeader::decode(&mut decoder, R::KEY.response_header_version(version))
            .map_err(|error| protocol(&error))?;
        let response =
            R::Response::decode(&mut decoder, version).map_err(|error| protocol(&error))?;
        decoder.finish().map_err(|error| protocol(&error))?;
        Ok(response)
    }

    fn failure(&self) -> Error {
        self.waiting.failure(&self.address)
    }
}

impl<E: Env> Drop for Connection<E> {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Waiting {
    fn register(&self, correlation: i32, tell: oneshot::Sender<Result<Bytes>>) -> Result<()> {
        let mut state = self.state.lock();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        state.callers.insert(correlation, tell);
        Ok(())
    }

    /// Hands an answer to its caller. One for nobody is a caller that went away.
    fn deliver(&self, correlation: i32, body: Bytes) {
        if let Some(tell) = self.state.lock().callers.remove(&correlation) {
            let _ = tell.send(Ok(body));
        }
    }

    fn fail(&self, error: Error) {
        let mut state = self.state.lock();
        let error = state.failed.get_or_insert(error).clone();
        for (_, tell) in std::mem::take(&mut state.callers) {
            let _ = tell.send(Err(error.clone()));
        }
        drop(state);
        self.ended.send_replace(true);
    }

    fn failure(&self, address: &str) -> Error {
        self.state.lock().failed.clone().unwrap_or_else(|| Error::Disconnected {
            address: address.to_owned(),
            reason: "the connection was closed".to_owned(),
        })
    }
}

async fn write_frames<W: AsyncWrite + Unpin>(
    mut writer: W,
    mut queue: mpsc::Receiver<Vec<Bytes>>,
    waiting: Arc<Waiting>,
    address: Arc<str>,
) {
    let mut ended = waiting.ended.subscribe();
    loop {
        let write_next = async {
            match queue.recv().await {
                Some(frame) => write_frame(&mut writer, frame).await.map(|()| true),
                None => Ok(false),
            }
        };
        let written = tokio::select! {
            biased;
            // A write to a peer that is gone may not end by itself.
            _ = ended.wait_for(|ended| *ended) => return,
            written = write_next => written,
        };
        match written {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let reason = error.to_string();
                waiting.fail(Error::Disconnected { address: address.to_string(), reason });
                return;
            }
        }
    }
    let _ = writer.shutdown().await;
}

/// Small chunks are joined to one write; large ones (record batches) go as they are.
async fn write_frame<W: AsyncWrite + Unpin>(
    writer: &mut W,
    frame: Vec<Bytes>,
) -> std::io::Result<()> {
    const JOINED_MAX: usize = 16 << 10;
    let mut joined = BytesMut::new();
    for chunk in frame {
        if chunk.len() <= JOINED_MAX {
            joined.extend_from_slice(&chunk);
            continue;
        }
        writer.write_all(&joined).await?;
        joined.clear();
        writer.write_all(&chunk).await?;
    }
    writer.write_all(&joined).await?;
    writer.flush().await
}

async fn read_frames<R: AsyncRead + Unpin>(
    mut reader: R,
    waiting: Arc<Waiting>,
    address: Arc<str>,
) {
    loop {
        match read_frame(&mut reader, &address).await {
            Ok((correlation, body)) => waiting.deliver(correlation, body),
            Err(error) => return waiting.fail(error),
        }
    }
}

async fn read_frame<R: AsyncRead + Unpin>(
    reader: &mut R,
    address: &Arc<str>,
) -> Result<(i32, Bytes)> {
    const STEP: usize = 1 << 20;
    let lost = |error: std::io::Error| {
        let reason = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => "the broker closed it".to_owned(),
            _ => error.to_string(),
        };
        Error::Disconnected { address: address.to_string(), reason }
    };
    let length = reader.read_i32().await.map_err(lost)?;
    let length = match usize::try_from(length) {
        Ok(length) if (4..=FRAME_BYTES_MAX).contains(&length) => length,
        _ => {
            let reason = format!("an answer of {length} bytes");
            return Err(Error::Protocol { address: address.to_string(), reason });
        }
    };
    // Memory follows what has come, not what was announced.
    let mut body = BytesMut::with_capacity(length.min(STEP));
    while body.len() < length {
        let have = body.len();
        body.resize(have + (length - have).min(STEP), 0);
        reader.read_exact(&mut body[have..]).await.map_err(lost)?;
    }
    let correlation = i32::from_be_bytes([body[0], body[1], body[2], body[3]]);
    Ok((correlation, body.freeze()))
}
