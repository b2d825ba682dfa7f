//! Snapshots of the image: read where the log no longer has what this node lacks, taken when the log
//! has grown enough (KIP-630).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ottla_env::{Env, MonoTime};
use ottla_metadata::MetadataRecord;
use ottla_metadata::controller::Controller;
use ottla_metadata::image::MetadataImage;
use ottla_metadata::snapshot;
use ottla_protocol::Str;
use ottla_protocol::messages::{ConfigRecord, RemoveTopicRecord};
use ottla_raft::OffsetAndEpoch;

use super::{Loader, MetadataDriver, MetadataError};

/// When the next snapshot is due.
#[derive(Default)]
pub(super) struct Schedule {
    /// Bytes of the log that the last snapshot does not cover.
    bytes: u64,
    /// Nothing before the first batch.
    since: Option<MonoTime>,
    is_taking: Arc<AtomicBool>,
}

impl Schedule {
    /// Counts a batch; answers whether a snapshot is due after it.
    fn count(&mut self, bytes: usize, now: MonoTime, bytes_max: u64, interval: Duration) -> bool {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        let since = *self.since.get_or_insert(now);
        let is_due = self.bytes >= bytes_max || now - since >= interval;
        is_due && !self.is_taking.load(Ordering::SeqCst)
    }

    fn begin(&mut self, now: MonoTime) -> Arc<AtomicBool> {
        self.bytes = 0;
        self.since = Some(now);
        self.is_taking.store(true, Ordering::SeqCst);
        Arc::clone(&self.is_taking)
    }
}

impl<E: Env> MetadataDriver<E> {
    /// Takes up the latest snapshot in place of the records before it.
    pub(super) async fn load_snapshot(
        &self,
        loader: &mut Loader,
        log_start: i64,
    ) -> Result<(), MetadataError> {
        let missing = MetadataError::Snapshot { log_start };
        let latest = self.raft.latest_snapshot().ok_or(missing)?;
        let at = latest.at.offset;
        if at < log_start {
            return Err(MetadataError::Snapshot { log_start });
        }
        let records = latest.records(&self.env).await;
        let records = records.map_err(|error| MetadataError::Read(error.to_string()))?;
        let before = loader.machine.image().clone();
        let machine = Controller::from_snapshot(&records, at);
        loader.machine = machine.map_err(|(record, error)| MetadataError::Replay {
            offset: at,
            record,
            error,
        })?;
        loader.held_back.clear();
        tracing::info!(offset = at, records = records.len(), "read a snapshot of the metadata");
        if loader.is_loaded {
            let image = Arc::new(loader.machine.image().clone());
            let mut changes = vanished(&before, &image);
            changes.extend(records);
            self.replica.apply(&image, &changes).await?;
            self.publish(loader, image);
        }
        Ok(())
    }

    /// Has a snapshot written, beside everything else, where one is due after a batch.
    pub(super) fn snapshot_if_due(&self, loader: &mut Loader, bytes: usize, epoch: i32) {
        let config = self.config.get();
        let limit = |number: i64| u64::try_from(number).unwrap_or(u64::MAX);
        let bytes_max = limit(config.quorum.metadata_log_max_record_bytes_between_snapshots);
        let interval = match config.quorum.metadata_log_max_snapshot_interval_ms {
            // Zero is never.
            0 => Duration::MAX,
            ms => Duration::from_millis(limit(ms)),
        };
        let now = self.env.now();
        if !loader.schedule.count(bytes, now, bytes_max, interval)
            || loader.machine.has_open_transaction()
        {
            return;
        }
        let is_taking = loader.schedule.begin(now);
        let image = loader.machine.image().clone();
        let at = OffsetAndEpoch::new(loader.machine.next_offset(), epoch);
        let (env, raft) = (self.env.clone(), Arc::clone(&self.raft));
        drop(self.env.spawn("metadata snapshot", async move {
            if let Ok(records) = env.run_blocking(move || snapshot::records(&image)).await {
                raft.take_snapshot(at, records).await;
            }
            is_taking.store(false, Ordering::SeqCst);
        }));
    }
}

/// What an image has that a later one lacks, as the records that took it away.
fn vanished(before: &MetadataImage, now: &MetadataImage) -> Vec<MetadataRecord> {
    let mut records = Vec::new();
    for topic in before.topics.iter().filter(|topic| now.topics.by_id(topic.id).is_none()) {
        records.push(RemoveTopicRecord { topic_id: topic.id, ..Default::default() }.into());
    }
    for (resource, overrides) in before.configs.iter() {
        let left = now.configs.get(resource);
        for name in overrides.keys().filter(|name| !left.contains_key(*name)) {
            let record = ConfigRecord {
                resource_type: resource.resource_type.code(),
                resource_name: Str::from(&resource.name),
                name: Str::from(name),
                value: None,
                ..Default::default()
            };
            records.push(record.into());
        }
    }
    records
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_snapshot_is_due_by_bytes_or_by_time() {
        let start = MonoTime::default();
        let mut schedule = Schedule::default();
        assert!(!schedule.count(60, start, 100, SECOND));
        assert!(schedule.count(60, start, 100, SECOND));
        let is_taking = schedule.begin(start);
        assert!(!schedule.count(200, start, 100, SECOND), "one at a time");
        is_taking.store(false, Ordering::SeqCst);
        assert!(schedule.count(0, start, 100, SECOND));
        let is_taking = schedule.begin(start);
        is_taking.store(false, Ordering::SeqCst);
        assert!(!schedule.count(1, start + SECOND / 2, 100, SECOND));
        assert!(schedule.count(1, start + SECOND, 100, SECOND));
    }

    /// Goal: a reader that jumps to a snapshot takes away what the snapshot no longer has.
    #[test]
    fn what_a_snapshot_lacks_is_taken_away() {
        let topic = |number: u128| -> MetadataRecord {
            ottla_protocol::messages::TopicRecord {
                name: Str::from(format!("topic-{number}")),
                topic_id: ottla_protocol::Uuid::from_u128(number),
                ..Default::default()
            }
            .into()
        };
        let config = |name: &'static str| -> MetadataRecord {
            ConfigRecord {
                resource_type: 4,
                resource_name: Str::from("1"),
                name: Str::from(name),
                value: Some(Str::from("v")),
                ..Default::default()
            }
            .into()
        };
        let image = |records: &[MetadataRecord]| {
            Controller::from_snapshot(records, 9).unwrap().image().clone()
        };
        let before = image(&[topic(1), topic(2), config("a"), config("b")]);
        let now = image(&[topic(2), config("b")]);
        let mut again = before.clone();
        for record in vanished(&before, &now) {
            again.apply(&record).unwrap();
        }
        assert_eq!(again, now);
        assert_eq!(vanished(&now, &now), []);
    }
}
