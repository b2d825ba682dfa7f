//! Taking a snapshot: the file, and what it makes superfluous.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use ottla_env::{Disk, Env};
use ottla_metadata::MetadataRecord;
use ottla_metadata::image::METADATA_VERSION;
use ottla_protocol::messages::{KRaftVersionRecord, SnapshotFooterRecord, SnapshotHeaderRecord};
use ottla_protocol::records::control::{self, ControlRecord};
use ottla_protocol::records::{BatchBuilder, BatchOptions};
use ottla_raft::{Event, OffsetAndEpoch, VoterSet};

use super::super::{RaftDriver, voters};
use super::{BOOTSTRAP, PART, name};
use crate::log::LogError;

/// A batch of a snapshot is closed once it has so many bytes.
const BATCH_BYTES: usize = 512 << 10;

impl<E: Env> RaftDriver<E> {
    /// Keeps `records` as the snapshot of everything below `at.offset`, and lets go of what nobody needs then. Nothing
    /// happens where a later one is there, or where `at` is not committed here.
    pub(crate) async fn take_snapshot(&self, at: OffsetAndEpoch, records: Vec<MetadataRecord>) {
        let set = {
            let core = self.core.lock();
            let known = core.raft.log().latest_snapshot.map_or(0, |latest| latest.offset);
            if core.is_over || at.offset <= known || at.offset > core.raft.committed() {
                return;
            }
            core.raft.voters_at(at.offset).cloned()
        };
        let (disk, folder) = (self.env.disk().clone(), self.folder.clone());
        let now_ms = self.env.wall_ms();
        let write = move || -> std::io::Result<()> {
            let whole = encode(at, now_ms, set.as_ref(), &records)?;
            let part = folder.join(name(at) + PART);
            disk.replace_file(&part, &whole)?;
            disk.rename(&part, &folder.join(name(at)))?;
            disk.sync_dir(&folder)
        };
        match self.env.run_blocking(write).await {
            Ok(Ok(())) => self.keep(at).await,
            Ok(Err(error)) => tracing::error!(%error, "cannot write a snapshot of the metadata"),
            Err(_stopped) => {}
        }
    }

    /// The snapshot is there: the log below the one before it is no longer needed, nor are older snapshots.
    async fn keep(&self, at: OffsetAndEpoch) {
        let snapshots = match super::list(&self.env, &self.folder) {
            Ok(snapshots) => snapshots,
            Err(error) => return tracing::error!(%error, "cannot list the snapshots"),
        };
        let log_start = self.log.partition.offsets().log_start;
        let before = snapshots.iter().rev().find(|known| known.offset < at.offset);
        let kept_from = before.map_or(log_start, |before| before.offset).max(log_start);
        if let Err(error) = self.log.partition.delete_records_before(kept_from) {
            if !matches!(error, LogError::Busy) {
                tracing::error!(%error, "cannot drop old records of the metadata log");
            }
            return self.step(Event::SnapshotTaken { snapshot: at, log_start });
        }
        self.view.send_modify(|view| view.log_start = kept_from);
        self.step(Event::SnapshotTaken { snapshot: at, log_start: kept_from });
        for old in snapshots.iter().filter(|known| known.offset < kept_from) {
            let path = self.folder.join(name(*old));
            if let Err(error) = self.env.disk().remove_file(&path) {
                tracing::warn!(%error, path = %path.display(), "cannot remove an old snapshot");
            }
        }
    }
}

/// Formats the log of a quorum that begins with this node alone, and lets others join: Kafka's `format --standalone`.
/// Repeated after a crash it changes nothing.
pub(in super::super) fn format<E: Env>(
    env: &E,
    folder: &Path,
    first: &VoterSet,
) -> std::io::Result<()> {
    let whole = encode(BOOTSTRAP, env.wall_ms(), Some(first), &[])?;
    env.disk().replace_file(&folder.join(name(BOOTSTRAP)), &whole)
}

/// The bytes of a snapshot.
pub(super) fn encode(
    at: OffsetAndEpoch,
    now_ms: i64,
    set: Option<&VoterSet>,
    records: &[MetadataRecord],
) -> std::io::Result<Bytes> {
    let control = |options, records: &[ControlRecord]| {
        control::batch(options, now_ms, records).map_err(std::io::Error::other)
    };
    let mut whole = BytesMut::new();
    let level = metadata_version(records);
    let options = |base_offset: i64| BatchOptions {
        base_offset,
        leader_epoch: at.epoch,
        ..BatchOptions::default()
    };
    let header = SnapshotHeaderRecord {
        last_contained_log_timestamp: now_ms,
        ..SnapshotHeaderRecord::default()
    };
    let mut first = vec![ControlRecord::SnapshotHeader(header)];
    if let Some(set) = set {
        let k_raft_version = 1;
        let version = KRaftVersionRecord { k_raft_version, ..KRaftVersionRecord::default() };
        first.push(ControlRecord::KRaftVersion(version));
        first.push(ControlRecord::KRaftVoters(voters::record_of(set)));
    }
    whole.extend_from_slice(&control(options(0), &first)?);
    let mut offset = i64::try_from(first.len()).unwrap_or(i64::MAX);
    let (mut builder, mut bytes) = (BatchBuilder::new(options(offset)), 0);
    for record in records {
        let value = record.encode_at(level).map_err(std::io::Error::other)?;
        if bytes > 0 && bytes + value.len() > BATCH_BYTES {
            whole.extend_from_slice(&builder.build());
            (builder, bytes) = (BatchBuilder::new(options(offset)), 0);
        }
        builder.push(now_ms, None, Some(&value), &[]);
        (bytes, offset) = (bytes + value.len(), offset + 1);
    }
    if bytes > 0 {
        whole.extend_from_slice(&builder.build());
    }
    let footer = [ControlRecord::SnapshotFooter(SnapshotFooterRecord::default())];
    whole.extend_from_slice(&control(options(offset), &footer)?);
    Ok(whole.freeze())
}

/// The level that the snapshot's own records tell, in the versions of which they are written.
fn metadata_version(records: &[MetadataRecord]) -> i16 {
    let level = records.iter().find_map(|record| match record {
        MetadataRecord::FeatureLevel(record) if *record.name == *METADATA_VERSION => {
            Some(record.feature_level)
        }
        _ => None,
    });
    level.unwrap_or(i16::MAX)
}
