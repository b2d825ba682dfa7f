//! One connection's socket with what came in and what goes out. It moves bytes and knows nothing
//! of requests.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use ottla_env::Stream;
use tokio::io::AsyncReadExt;

use super::budget::Budget;
use super::intake::{Frame, FrameError, Intake};
use super::outgoing::{Next, Outgoing};
use super::pool::Pool;

/// Bytes of later requests taken in while one is being served.
const AHEAD_MAX: usize = 64 * 1024;

/// A stream of bytes, cut into frames.
pub(crate) struct Socket<S: Stream> {
    stream: S,
    intake: Intake,
    pub(crate) outgoing: Outgoing<S::File>,
    /// The peer will send no more.
    pub(crate) ended: bool,
}

/// What one exchange with the peer brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    pub(crate) received: usize,
    pub(crate) sent: usize,
}

/// Why a connection cannot go on.
#[derive(Debug)]
pub(crate) enum SocketError {
    Io(io::Error),
    Frame(FrameError),
}

impl From<io::Error> for SocketError {
    fn from(error: io::Error) -> Self {
        SocketError::Io(error)
    }
}

impl From<FrameError> for SocketError {
    fn from(error: FrameError) -> Self {
        SocketError::Frame(error)
    }
}

impl<S: Stream> Socket<S> {
    pub(crate) fn new(stream: S, pool: Arc<Pool>, budget: Arc<Budget>) -> Socket<S> {
        let intake = Intake::new(pool, budget);
        Socket { stream, intake, outgoing: Outgoing::default(), ended: false }
    }

    /// The next whole frame that has arrived.
    pub(crate) fn next_frame(&mut self, limit: usize) -> Result<Option<Frame>, FrameError> {
        self.intake.next_frame(limit)
    }

    /// Whether a frame has begun and not ended.
    pub(crate) fn is_mid_frame(&self) -> bool {
        self.intake.is_partial()
    }

    /// Whether the half-received frame holds memory that other connections wait for.
    pub(crate) fn starves_others(&self) -> bool {
        self.intake.starves_others()
    }

    /// Sends what is queued and waits for one more move in either direction. Cancel-safe.
    pub(crate) async fn exchange(
        &mut self,
        may_receive: bool,
        frame_max: usize,
    ) -> Result<Moved, SocketError> {
        let sent = self.send()?;
        if sent > 0 && self.outgoing.is_empty() {
            return Ok(Moved { received: 0, sent });
        }
        self.intake.park();
        tokio::select! {
            biased;
            ready = self.stream.writable(), if !self.outgoing.is_empty() => {
                ready?;
                Ok(Moved { received: 0, sent: sent + self.send()? })
            }
            ready = self.stream.readable(), if may_receive && !self.ended => {
                ready?;
                Ok(Moved { received: self.receive(frame_max).await?, sent })
            }
        }
    }

    /// Runs `work` to its end, sending and (a little) receiving meanwhile. With `abandon`, a peer
    /// that leaves ends it early.
    pub(crate) async fn drive<F: Future>(
        &mut self,
        mut work: Pin<&mut F>,
        frame_max: usize,
        abandon: bool,
    ) -> Result<F::Output, SocketError> {
        loop {
            let may_receive = self.intake.len() < AHEAD_MAX && !self.ended;
            let idle = !may_receive && self.outgoing.is_empty();
            tokio::select! {
                biased;
                output = work.as_mut() => return Ok(output),
                moved = self.exchange(may_receive, frame_max), if !idle => match moved {
                    Ok(_) if self.ended && abandon => {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                    }
                    Ok(_) => {}
                    Err(error) if abandon => return Err(error),
                    Err(error) => {
                        // What has begun is brought to its end, even if nobody hears of it.
                        work.await;
                        return Err(error);
                    }
                },
            }
        }
    }

    /// Writes what the socket takes now.
    pub(crate) fn send(&mut self) -> io::Result<usize> {
        if self.outgoing.is_empty() {
            return Ok(0);
        }
        let Socket { stream, outgoing, .. } = self;
        outgoing.flush(|next| match next {
            Next::Slices(slices, false) => stream.try_write_vectored(slices),
            Next::Slices(slices, true) => stream.try_write_vectored_more(slices),
            Next::File(range) => stream.try_send_file(range.file(), range.position(), range.len()),
        })
    }

    /// Reads what is there into room that the node's budget has.
    async fn receive(&mut self, frame_max: usize) -> Result<usize, SocketError> {
        let room = self.intake.room(frame_max).await?;
        let mut read = pin!(self.stream.read_buf(room));
        let received = poll_fn(|cx| match read.as_mut().poll(cx) {
            Poll::Ready(received) => Poll::Ready(received.map(Some)),
            Poll::Pending => Poll::Ready(Ok(None)),
        });
        match received.await {
            Ok(Some(0)) => {
                self.ended = true;
                Ok(0)
            }
            Ok(received) => Ok(received.unwrap_or(0)),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                self.ended = true;
                Ok(0)
            }
            Err(error) => Err(error.into()),
        }
    }
}
