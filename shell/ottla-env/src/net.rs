//! Sockets.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::disk::File;

/// A listening socket.
pub trait Listener: Send + Sync + 'static {
    /// What it accepts.
    type Stream: Stream;
    /// The next connection and its peer's address.
    ///
    /// # Errors
    /// Those of accept(2); the caller decides whether to go on.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
    /// The bound address, with the real port.
    ///
    /// # Errors
    /// If the socket has no address.
    fn local_addr(&self) -> io::Result<SocketAddr>;
}

/// A connected stream of bytes, without Nagle's delay.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin + 'static {
    /// The half that reads.
    type Reader: AsyncRead + Send + Sync + Unpin + 'static;
    /// The half that writes. Dropping it closes the sending direction.
    type Writer: AsyncWrite + Send + Sync + Unpin + 'static;
    /// The files of the same node, whose bytes can be sent as they are.
    type File: File;
    /// The two directions, usable from two tasks without a lock.
    fn split(self) -> (Self::Reader, Self::Writer);
    /// The address the peer reached us at.
    ///
    /// # Errors
    /// If the socket is gone.
    fn local_addr(&self) -> io::Result<SocketAddr>;
    /// The peer's address.
    ///
    /// # Errors
    /// If the socket is gone.
    fn peer_addr(&self) -> io::Result<SocketAddr>;
    /// Reads what is there into `buf` without waiting; `WouldBlock` if there is nothing.
    ///
    /// # Errors
    /// Those of recv(2).
    fn try_read(&self, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes what fits without waiting; `WouldBlock` if nothing does.
    ///
    /// # Errors
    /// Those of writev(2).
    fn try_write_vectored(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize>;
    /// The same where more follows at once, so that a short beginning is not sent on its own.
    ///
    /// # Errors
    /// Those of sendmsg(2).
    fn try_write_vectored_more(&self, bufs: &[io::IoSlice<'_>]) -> io::Result<usize>;
    /// Sends up to `len` bytes of a file from `position` on, without a copy through this process and
    /// without waiting for the peer; `WouldBlock` if the peer takes nothing, 0 at the end of the
    /// file. Bytes that are not in memory are waited for: ask [`File::is_cached`] first.
    ///
    /// # Errors
    /// Those of sendfile(2).
    fn try_send_file(&self, file: &Self::File, position: u64, len: usize) -> io::Result<usize>;
    /// Waits until a read may succeed.
    ///
    /// # Errors
    /// If the socket is gone.
    fn readable(&self) -> impl Future<Output = io::Result<()>> + Send;
    /// Waits until a write may succeed.
    ///
    /// # Errors
    /// If the socket is gone.
    fn writable(&self) -> impl Future<Output = io::Result<()>> + Send;
}
