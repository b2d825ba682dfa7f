//! One step of a copy after its original: what a leader would answer to a follower, taken in by it.

use std::sync::Arc;

use ottla_env::Env;
use ottla_plant::{Plant, planted};
use ottla_replica::FetchPoint;
use ottla_replica::follower::EpochEnd;

use super::MoveDriver;
use crate::log::{self, AppendError, LogError, Mark, ReadOptions};
use crate::partition::follow::{Cut, Found, Taken};
use crate::partition::registry::Partition;

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So many bytes; or none, where the copy was cut or begun anew.
    Copied(usize),
    /// It has all that the original has, on stable storage.
    HasAll,
    /// Not now: the epoch is another, or something failed.
    Waits,
}

impl<E: Env> MoveDriver<E> {
    /// One step of about so many bytes; when it returns, what was copied is durable.
    pub(super) async fn follow(
        &self,
        original: &Arc<Partition<E>>,
        copy: &Arc<Partition<E>>,
        max_bytes: usize,
    ) -> Step {
        let (me, now_ms) = (self.registry.office().node_id(), self.registry.office().now_ms());
        let epoch = original.leader_epoch();
        if epoch < 0 || copy.follow_here(me, epoch).is_err() {
            return Step::Waits;
        }
        let Some(point) = copy.fetch_point(now_ms) else { return Step::Waits };
        let source = Arc::clone(&original.log);
        let Ok(Some(found)) =
            self.env.run_blocking(move || answer(&source, point, max_bytes)).await
        else {
            return Step::Waits;
        };
        let bytes = match &found {
            Found::Records { records, .. } => records.len(),
            _ => 0,
        };
        let Some(taken) = self.take_in(copy, point, &found).await else { return Step::Waits };
        let was_cut = taken.cut.is_some() || taken.asks_for_bounds;
        let mut mark = Mark::default();
        let place = copy.log.place();
        if let Some(lsn) = taken.lsn {
            mark.raise(place, lsn);
        }
        if let Some(lsn) = self.cut(original, copy, epoch, &taken).await {
            mark.raise(place, lsn);
        }
        self.data_dirs.commit().await;
        if self.data_dirs.wait_durable(&mark).await.is_err() {
            return Step::Waits;
        }
        copy.done(epoch, self.registry.office().now_ms());
        if bytes == 0 && !was_cut && matches!(found, Found::Records { .. }) {
            return Step::HasAll;
        }
        Step::Copied(bytes)
    }

    async fn take_in(
        &self,
        copy: &Partition<E>,
        point: FetchPoint,
        found: &Found,
    ) -> Option<Taken> {
        loop {
            match copy.take_in(point, found, self.registry.office().now_ms()) {
                Ok(taken) => return Some(taken),
                Err(AppendError::Busy) => {
                    self.data_dirs.commit().await;
                    self.data_dirs.room().await;
                }
                Err(error) => {
                    let partition = copy.log.id();
                    tracing::warn!(%partition, %error, "a copy takes no more of its original");
                    return None;
                }
            }
        }
    }

    /// Cuts the copy where that is asked for.
    async fn cut(
        &self,
        original: &Partition<E>,
        copy: &Arc<Partition<E>>,
        epoch: i32,
        taken: &Taken,
    ) -> Option<u64> {
        let mut cut = taken.cut;
        if taken.asks_for_bounds {
            let offsets = original.log.offsets();
            let now_ms = self.registry.office().now_ms();
            cut = copy.take_bounds(epoch, offsets.log_start, offsets.log_end, now_ms);
        }
        let cut: Cut = cut?;
        loop {
            let work = Arc::clone(copy);
            match self.env.run_blocking(move || work.cut(epoch, cut)).await {
                Ok(Ok(lsn)) => return Some(lsn),
                Ok(Err(LogError::Busy)) => self.data_dirs.room().await,
                Ok(Err(error)) => {
                    tracing::warn!(partition = %copy.log.id(), %error, "a copy cannot be cut");
                    copy.unreachable(epoch, self.registry.office().now_ms());
                    return None;
                }
                Err(_stopped) => return None,
            }
        }
    }
}

/// What a leader with this log would answer to a follower at `point`; nothing if it cannot be read.
fn answer<E: Env>(
    log: &Arc<log::Partition<E>>,
    point: FetchPoint,
    max_bytes: usize,
) -> Option<Found> {
    let by_offset = planted(Plant::CopyKeepsWhatWasCut);
    if point.last_fetched_epoch >= 0 && !by_offset {
        let (epoch, end_offset) = log.end_offset_for_epoch(point.last_fetched_epoch);
        if epoch < point.last_fetched_epoch || end_offset < point.offset {
            return Some(Found::Diverging(EpochEnd { epoch, end_offset }));
        }
    }
    let offsets = log.offsets();
    if by_offset && point.offset > offsets.log_end {
        return None;
    }
    if !(offsets.log_start..=offsets.log_end).contains(&point.offset) {
        return Some(Found::OutOfRange);
    }
    let upper = offsets.log_end;
    let options = ReadOptions { max_bytes, min_one_batch: true, upper };
    let slices = log.read_blocking(point.offset, &options).ok()?;
    Some(Found::Records {
        records: slices.into_bytes(),
        high_watermark: offsets.high_watermark,
        log_start: offsets.log_start,
    })
}
