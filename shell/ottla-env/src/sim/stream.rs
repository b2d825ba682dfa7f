//! Sockets of a simulated machine: thin handles on the network's state.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::core::{Core, World};
use super::disk::SimFile;
use super::network::{Arrival, NodeId, PipeId, Readiness};
use crate::disk::File;
use crate::net::{Listener, Stream};

/// Most bytes of a file that are sent at once.
const FILE_STEP: usize = 64 << 10;

/// The half that reads.
pub struct SimReader {
    core: Arc<Core>,
    pipe: PipeId,
}

/// The half that writes.
pub struct SimWriter {
    core: Arc<Core>,
    pipe: PipeId,
    /// The end was sent.
    is_shut: bool,
}

/// A connection.
pub struct SimStream {
    reader: SimReader,
    writer: SimWriter,
    local: SocketAddr,
    peer: SocketAddr,
}

/// A listening socket.
pub struct SimListener {
    core: Arc<Core>,
    node: NodeId,
    address: SocketAddr,
}

impl SimStream {
    pub(super) fn new(core: &Arc<Core>, ends: Arrival) -> SimStream {
        SimStream {
            reader: SimReader { core: core.clone(), pipe: ends.reads },
            writer: SimWriter { core: core.clone(), pipe: ends.writes, is_shut: false },
            local: ends.local,
            peer: ends.peer,
        }
    }
}

impl SimListener {
    pub(super) fn new(core: Arc<Core>, node: NodeId, address: SocketAddr) -> SimListener {
        SimListener { core, node, address }
    }
}

impl Listener for SimListener {
    type Stream = SimStream;

    async fn accept(&self) -> io::Result<(SimStream, SocketAddr)> {
        let arrival = poll_fn(|cx| {
            let mut world = self.core.lock();
            match world.network.listeners.accept(self.node, self.address, cx.waker()) {
                Ok(Some(arrival)) => Poll::Ready(Ok(arrival)),
                Ok(None) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        });
        let arrival = arrival.await?;
        let peer = arrival.peer;
        Ok((SimStream::new(&self.core, arrival), peer))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let mut world = self.core.lock();
        for arrival in world.network.listeners.unbind(self.node, self.address) {
            world.network.reset(arrival.reads);
        }
    }
}

impl Stream for SimStream {
    type Reader = SimReader;
    type Writer = SimWriter;
    type File = SimFile;

    fn split(self) -> (SimReader, SimWriter) {
        (self.reader, self.writer)
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.local)
    }
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.reader.core.lock().read(self.reader.pipe, buf.len())?;
        buf[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
    fn try_write_vectored(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.writer.core.lock().write(self.writer.pipe, bufs)
    }
    fn try_write_vectored_more(&self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.try_write_vectored(bufs)
    }
    fn try_send_file(&self, file: &SimFile, position: u64, len: usize) -> io::Result<usize> {
        let mut bytes = vec![0; len.min(FILE_STEP)];
        let count = file.read_at(&mut bytes, position)?;
        if count == 0 { Ok(0) } else { self.try_write_vectored(&[IoSlice::new(&bytes[..count])]) }
    }
    async fn readable(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut world = self.reader.core.lock();
            if world.is_readable(self.reader.pipe) {
                return Poll::Ready(Ok(()));
            }
            world.wait_to_read(self.reader.pipe, cx.waker());
            Poll::Pending
        })
        .await
    }
    async fn writable(&self) -> io::Result<()> {
        poll_fn(|cx| {
            let mut world = self.writer.core.lock();
            match world.network.pipe(self.writer.pipe) {
                Some(pipe) if matches!(pipe.room(), Ok(0)) => {
                    pipe.write_waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                // Also when a write would fail: it says why.
                _ => Poll::Ready(Ok(())),
            }
        })
        .await
    }
}

impl World {
    fn is_readable(&mut self, id: PipeId) -> bool {
        self.readiness(id) == Readiness::Now
    }

    fn readiness(&mut self, id: PipeId) -> Readiness {
        let now = self.now;
        let Some(pipe) = self.network.pipe(id) else { return Readiness::Now };
        let (from, to) = (pipe.from, pipe.to);
        let is_cut = self.network.is_cut(from, to);
        self.network.pipe(id).map_or(Readiness::Now, |pipe| pipe.readiness(now, is_cut))
    }

    /// Wakes `waker` when the next packet arrives or is sent.
    fn wait_to_read(&mut self, id: PipeId, waker: &Waker) {
        let readiness = self.readiness(id);
        let Some(pipe) = self.network.pipe(id) else { return };
        pipe.read_waker = Some(waker.clone());
        if let Some(key) = pipe.read_timer.take() {
            self.timers.clear(key);
        }
        if let Readiness::At(at) = readiness {
            pipe.read_timer = Some(self.timers.set(at, waker.clone()));
        }
    }

    /// Up to `most` bytes that have arrived; `WouldBlock` if there are none.
    fn read(&mut self, id: PipeId, most: usize) -> io::Result<Bytes> {
        if most == 0 {
            return Ok(Bytes::new());
        }
        if !self.is_readable(id) {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (now, most) = (self.now, self.chop(most));
        let pipe = self.network.pipe(id).ok_or(ErrorKind::NotConnected)?;
        let bytes = pipe.read(now, most)?;
        self.trace.add(id.0);
        self.trace.add_bytes(&bytes);
        Ok(bytes)
    }

    /// Sends what fits; `WouldBlock` if nothing does.
    fn write(&mut self, id: PipeId, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let pipe = self.network.pipe(id).ok_or(ErrorKind::NotConnected)?;
        let (from, to, room) = (pipe.from, pipe.to, pipe.room()?);
        if pipe.reader_is_silent() && *self.node(to).up.borrow() {
            // The machine is back, and knows nothing of this connection.
            self.network.reset(id);
            return Err(ErrorKind::ConnectionReset.into());
        }
        let wanted: usize = slices.iter().map(|slice| slice.len()).sum();
        if wanted == 0 {
            return Ok(0);
        }
        if room == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let count = self.chop(wanted.min(room));
        let mut bytes = Vec::with_capacity(count);
        for slice in slices {
            let left = count - bytes.len();
            bytes.extend_from_slice(&slice[..slice.len().min(left)]);
        }
        let at = self.now + self.network.delay(from, to, &mut self.random);
        if let Some(pipe) = self.network.pipe(id) {
            pipe.send(at, Bytes::from(bytes));
        }
        Ok(count)
    }

    /// Now and then, less than could be moved.
    fn chop(&mut self, most: usize) -> usize {
        if self.random.chance(self.network.manner.chop_percent) {
            1 + self.random.index(most)
        } else {
            most
        }
    }
}

impl AsyncRead for SimReader {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut world = self.core.lock();
        match world.read(self.pipe, buf.remaining()) {
            Ok(bytes) => {
                buf.put_slice(&bytes);
                Poll::Ready(Ok(()))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                world.wait_to_read(self.pipe, cx.waker());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }
}

impl AsyncWrite for SimWriter {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.is_shut {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let mut world = self.core.lock();
        match world.write(self.pipe, slices) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if let Some(pipe) = world.network.pipe(self.pipe) {
                    pipe.write_waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
            answer => Poll::Ready(answer),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shut();
        Poll::Ready(Ok(()))
    }
}

impl SimWriter {
    fn shut(&mut self) {
        if !self.is_shut {
            self.is_shut = true;
            let mut world = self.core.lock();
            let World { network, random, now, .. } = &mut *world;
            network.close_writer(self.pipe, *now, random);
        }
    }
}

impl Drop for SimWriter {
    fn drop(&mut self) {
        self.shut();
    }
}

impl Drop for SimReader {
    fn drop(&mut self) {
        let mut world = self.core.lock();
        if let Some(key) = world.network.pipe(self.pipe).and_then(|pipe| pipe.read_timer.take()) {
            world.timers.clear(key);
        }
        world.network.close_reader(self.pipe);
    }
}

impl AsyncRead for SimStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.reader).poll_read(cx, buf)
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write(cx, bytes)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writer).poll_write_vectored(cx, slices)
    }
    fn is_write_vectored(&self) -> bool {
        true
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writer).poll_shutdown(cx)
    }
}
