//! One direction of a connection: packets in order, each with its time of arrival.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::task::Waker;

use bytes::{Buf, Bytes};

use super::{NodeId, PipeId};
use crate::sim::timers::TimerKey;

/// One end's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    /// Its machine lost power: it says nothing, not even that it is gone.
    Silent,
    /// Silent, and its handle dropped with its task.
    Gone,
}

enum Packet {
    Bytes(Bytes),
    End,
}

/// What a reader may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Readiness {
    Now,
    /// The next packet arrives then.
    At(u64),
    /// Nothing is under way.
    Never,
}

/// One direction.
pub(in crate::sim) struct Pipe {
    pub(in crate::sim) from: NodeId,
    pub(in crate::sim) to: NodeId,
    /// The other direction.
    pub(in crate::sim) back: PipeId,
    packets: VecDeque<(u64, Packet)>,
    buffered: usize,
    capacity: usize,
    writer: End,
    reader: End,
    is_reset: bool,
    pub(in crate::sim) read_waker: Option<Waker>,
    pub(in crate::sim) write_waker: Option<Waker>,
    /// The reader's timer for the next packet.
    pub(in crate::sim) read_timer: Option<TimerKey>,
}

impl Pipe {
    pub(super) fn new(from: NodeId, to: NodeId, back: PipeId, capacity: usize) -> Pipe {
        Pipe {
            from,
            to,
            back,
            packets: VecDeque::new(),
            buffered: 0,
            capacity,
            writer: End::Open,
            reader: End::Open,
            is_reset: false,
            read_waker: None,
            write_waker: None,
            read_timer: None,
        }
    }

    pub(in crate::sim) fn readiness(&self, now: u64, is_cut: bool) -> Readiness {
        if self.is_reset {
            return Readiness::Now;
        }
        match self.packets.front() {
            _ if is_cut => Readiness::Never,
            Some((at, _)) if *at <= now => Readiness::Now,
            Some((at, _)) => Readiness::At(*at),
            None => Readiness::Never,
        }
    }

    /// Takes up to `most` bytes of what has arrived; none at the end of the stream.
    pub(in crate::sim) fn read(&mut self, now: u64, most: usize) -> io::Result<Bytes> {
        if self.is_reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        let Some((at, packet)) = self.packets.front_mut() else {
            return Err(ErrorKind::WouldBlock.into());
        };
        if *at > now {
            return Err(ErrorKind::WouldBlock.into());
        }
        let Packet::Bytes(bytes) = packet else { return Ok(Bytes::new()) };
        let taken = bytes.split_to(most.min(bytes.len()));
        if !bytes.has_remaining() {
            self.packets.pop_front();
        }
        self.buffered -= taken.len();
        wake(&mut self.write_waker);
        Ok(taken)
    }

    /// Bytes that fit now; an error if nobody will ever read them.
    pub(in crate::sim) fn room(&self) -> io::Result<usize> {
        if self.is_reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if self.reader == End::Closed || self.writer != End::Open {
            return Err(ErrorKind::BrokenPipe.into());
        }
        Ok(self.capacity - self.buffered)
    }

    /// Whether the reader's machine lost power.
    pub(in crate::sim) fn reader_is_silent(&self) -> bool {
        matches!(self.reader, End::Silent | End::Gone)
    }

    pub(in crate::sim) fn send(&mut self, at: u64, bytes: Bytes) {
        self.buffered += bytes.len();
        self.push(at, Packet::Bytes(bytes));
    }

    pub(super) fn reset(&mut self) {
        self.is_reset = true;
        self.packets.clear();
        wake(&mut self.read_waker);
        wake(&mut self.write_waker);
    }

    /// Nothing arrives before `at`.
    pub(super) fn delay_until(&mut self, at: u64) {
        for (arrives, _) in &mut self.packets {
            *arrives = at.max(*arrives);
        }
        wake(&mut self.read_waker);
    }

    pub(super) fn silence(&mut self, node: NodeId) {
        if self.from == node && self.writer == End::Open {
            self.writer = End::Silent;
        }
        if self.to == node && self.reader == End::Open {
            self.reader = End::Silent;
        }
    }

    pub(super) fn close_reader(&mut self) {
        match self.reader {
            End::Silent => self.reader = End::Gone,
            End::Open => {
                self.reader = End::Closed;
                self.packets.clear();
                wake(&mut self.write_waker);
            }
            End::Closed | End::Gone => {}
        }
    }

    pub(super) fn close_writer(&mut self, at: u64) {
        match self.writer {
            End::Silent => self.writer = End::Gone,
            End::Open => {
                self.writer = End::Closed;
                self.push(at, Packet::End);
            }
            End::Closed | End::Gone => {}
        }
    }

    /// Both handles are dropped.
    pub(super) fn is_done(&self) -> bool {
        let dropped = |end| matches!(end, End::Closed | End::Gone);
        dropped(self.writer) && dropped(self.reader)
    }

    /// A packet never overtakes another.
    fn push(&mut self, at: u64, packet: Packet) {
        let at = self.packets.back().map_or(at, |(last, _)| at.max(*last));
        self.packets.push_back((at, packet));
        wake(&mut self.read_waker);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}
