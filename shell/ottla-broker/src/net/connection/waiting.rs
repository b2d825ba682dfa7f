//! Where a connection waits: for the peer, for the disk, for the clock, for the end of the node.

use ottla_env::{Env, MonoTime};
use ottla_protocol::ErrorCode;
use tokio::sync::Notify;

use super::{Connection, End, STALL_MAX, UNACKNOWLEDGED_MAX, UNSENT_MAX};
use crate::api::produce::Unacknowledged;
use crate::net::socket::Moved;
use crate::phase::{Phase, reached};
use crate::rooms::Rooms;

impl<E: Env> Connection<E> {
    /// Waits for the next thing to happen and takes note of it.
    pub(super) async fn wait(&mut self) -> Result<(), End> {
        self.commit().await;
        self.acknowledge()?;
        let draining = *self.phase.borrow() > Phase::Serving;
        if self.unacknowledged.is_empty() && self.socket.outgoing.is_empty() {
            if self.socket.ended {
                return Err(End::Left);
            }
            if draining {
                return Err(End::Stopping);
            }
        }
        self.arm();
        let next_phase = if draining { Phase::Closing } else { Phase::Draining };
        let may_receive = !draining && self.has_room() && !self.socket.ended;
        let may_exchange = may_receive || !self.socket.outgoing.is_empty();
        let Connection { rooms, socket, limits, phase, unacknowledged, alarm, replicated, .. } =
            self;
        let oldest = unacknowledged.front();
        tokio::select! {
            biased;
            () = has_more(rooms, oldest, replicated), if oldest.is_some() => {}
            moved = socket.exchange(may_receive, limits.frame_bytes), if may_exchange => {
                self.note(moved?);
            }
            () = alarm => self.check_time()?,
            () = reached(phase, next_phase) => {
                // A node that was dropped moves on to no phase at all.
                if draining || *phase.borrow() < next_phase {
                    return Err(End::Stopping);
                }
            }
        }
        Ok(())
    }

    /// Waits until every produce request so far is answered; the answers may still be unsent.
    pub(super) async fn settle(&mut self) -> Result<(), End> {
        self.commit().await;
        self.acknowledge()?;
        while !self.unacknowledged.is_empty() {
            self.arm();
            let Connection {
                rooms, socket, limits, phase, alarm, unacknowledged, replicated, ..
            } = self;
            tokio::select! {
                biased;
                () = has_more(rooms, unacknowledged.front(), replicated) => {}
                moved = socket.exchange(false, limits.frame_bytes),
                    if !socket.outgoing.is_empty() => self.note(moved?),
                () = alarm => self.check_time()?,
                () = reached(phase, Phase::Closing) => return Err(End::Stopping),
            }
            self.acknowledge()?;
        }
        Ok(())
    }

    /// Sees to it that what was appended since the last wait is written.
    async fn commit(&mut self) {
        if std::mem::take(&mut self.uncommitted) {
            self.rooms.data_dirs.commit().await;
        }
    }

    /// Answers the produce requests whose records are committed, or never will be.
    fn acknowledge(&mut self) -> Result<(), End> {
        while let Some(oldest) = self.unacknowledged.front() {
            let data_dirs = &self.rooms.data_dirs;
            if data_dirs.is_durable(&oldest.mark) && oldest.is_replicated() {
                self.answer_oldest(None)?;
            } else if data_dirs.has_lost(&oldest.mark) {
                self.answer_oldest(Some(ErrorCode::KafkaStorageError))?;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn answer_oldest(&mut self, error: Option<ErrorCode>) -> Result<(), End> {
        let oldest = self.unacknowledged.pop_front().expect("the caller has seen one");
        let answer = oldest.answer(error).map_err(End::Refused)?;
        self.socket.outgoing.push(answer.chunks, answer.length);
        Ok(())
    }

    /// Waits until the log may have room for an append again, answering and sending meanwhile.
    pub(super) async fn wait_for_log(&mut self) -> Result<(), End> {
        self.commit().await;
        self.acknowledge()?;
        let Connection { rooms, socket, limits, phase, .. } = self;
        let moved = tokio::select! {
            biased;
            () = rooms.data_dirs.room() => return Ok(()),
            moved = socket.exchange(false, limits.frame_bytes), if !socket.outgoing.is_empty() => moved,
            () = reached(phase, Phase::Closing) => return Err(End::Stopping),
        };
        self.note(moved?);
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.socket.outgoing.bytes() < UNSENT_MAX && self.unacknowledged.len() < UNACKNOWLEDGED_MAX
    }

    fn note(&mut self, moved: Moved) {
        if moved.received + moved.sent > 0 {
            self.active_at = self.rooms.env.now();
        }
    }

    /// Sets the alarm to the earliest deadline, unless it already goes off before that.
    fn arm(&mut self) {
        let next = self.next_deadline();
        if next < self.alarm_at {
            self.alarm_at = next;
            self.alarm = self.rooms.env.sleep_until(next);
        }
    }

    fn next_deadline(&self) -> MonoTime {
        let mut next = self.active_at + self.limits.idle;
        if self.socket.is_mid_frame() {
            next = next.min(self.active_at.max(self.checked_at) + STALL_MAX);
        }
        match self.unacknowledged.front() {
            Some(oldest) => next.min(oldest.deadline),
            None => next,
        }
    }

    /// The alarm went off: closes what is overdue and sets it anew.
    fn check_time(&mut self) -> Result<(), End> {
        let now = self.rooms.env.now();
        while self.unacknowledged.front().is_some_and(|oldest| oldest.deadline <= now) {
            self.answer_oldest(Some(ErrorCode::RequestTimedOut))?;
        }
        if now >= self.active_at + self.limits.idle {
            return Err(End::Idle);
        }
        let stalled = now >= self.active_at + STALL_MAX;
        if stalled && self.socket.starves_others() {
            return Err(End::Stalled);
        }
        self.checked_at = now;
        self.alarm_at = self.next_deadline();
        assert!(self.alarm_at > now, "what is overdue has been dealt with");
        self.alarm = self.rooms.env.sleep_until(self.alarm_at);
        Ok(())
    }
}

/// Until there is more of what the oldest produce request waits for: this node's disk first, then
/// other replicas.
async fn has_more<E: Env>(rooms: &Rooms<E>, oldest: Option<&Unacknowledged>, replicated: &Notify) {
    let Some(oldest) = oldest else { return };
    // Durable or failed, it is looked at again.
    let _ended = rooms.data_dirs.wait_durable(&oldest.mark).await;
    if !oldest.is_replicated() {
        replicated.notified().await;
    }
}
