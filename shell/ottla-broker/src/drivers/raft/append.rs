//! What the active controller does with the log: appends, and waits until that is committed.

use std::pin::pin;

use bytes::Bytes;
use ottla_env::Env;
use ottla_metadata::MetadataRecord;
use ottla_protocol::ErrorCode;
use ottla_protocol::records::{BatchBuilder, BatchOptions};

use super::core::Work;
use super::{QuorumView, RaftDriver};

/// Why a batch was not appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unplaced {
    /// Something else is at the offset it was made for: the quorum writes records of its own.
    Taken,
    Refused(ErrorCode),
}

impl From<ErrorCode> for Unplaced {
    fn from(code: ErrorCode) -> Self {
        Self::Refused(code)
    }
}

impl Unplaced {
    /// What is said where it is not decided anew.
    pub(crate) fn code(self) -> ErrorCode {
        match self {
            Self::Taken => ErrorCode::NotController,
            Self::Refused(code) => code,
        }
    }
}

/// See [`RaftDriver::append`].
pub(super) async fn append<E: Env>(
    driver: &RaftDriver<E>,
    (epoch, at): (i32, i64),
    records: &[MetadataRecord],
    metadata_version: i16,
) -> Result<i64, Unplaced> {
    if records.is_empty() {
        return Ok(driver.view.borrow().log_end - 1);
    }
    let batch = batch(epoch, driver.env.wall_ms(), records, metadata_version)?;
    let count = i64::try_from(records.len()).map_err(|_| ErrorCode::RecordListTooLarge)?;
    driver.until_idle().await;
    driver.propose((epoch, at), count, batch)
}

fn batch(
    epoch: i32,
    now_ms: i64,
    records: &[MetadataRecord],
    metadata_version: i16,
) -> Result<Bytes, ErrorCode> {
    let options = BatchOptions { leader_epoch: epoch, ..BatchOptions::default() };
    let mut builder = BatchBuilder::new(options);
    for record in records {
        let value = record.encode_at(metadata_version).map_err(|error| {
            let record = record.name();
            tracing::error!(%error, record, "a record cannot be written to the metadata log");
            ErrorCode::UnknownServerError
        })?;
        builder.push(now_ms, None, Some(&value), &[]);
    }
    Ok(builder.build())
}

impl<E: Env> RaftDriver<E> {
    /// What waits for room in the log, or for the disk, must not pile up: waits until nothing does.
    async fn until_idle(&self) {
        loop {
            let mut drained = pin!(self.drained.notified());
            drained.as_mut().enable();
            {
                let core = self.core.lock();
                if core.is_idle() || core.is_over {
                    return;
                }
            }
            drained.await;
        }
    }

    /// Gives a batch its place and appends it there.
    fn propose(&self, (epoch, at): (i32, i64), count: i64, batch: Bytes) -> Result<i64, Unplaced> {
        let mut core = self.core.lock();
        if core.is_over {
            return Err(self.over().into());
        }
        if core.raft.election().epoch != epoch {
            return Err(ErrorCode::NotController.into());
        }
        if core.raft.log().end != at {
            return Err(Unplaced::Taken);
        }
        let mut actions = Vec::new();
        let placed = core.raft.propose(self.now_ms(), count, &mut actions);
        let (base_offset, epoch) = placed.map_err(|_| ErrorCode::NotController)?;
        let work = Work::Append { base_offset, epoch, batch };
        if !core.is_idle() {
            core.queue.push_back(work);
        } else if let Some(later) = self.do_now(&mut core, work) {
            core.queue.push_back(later);
        }
        self.take(&mut core, actions);
        if core.is_over { Err(self.over().into()) } else { Ok(base_offset + count - 1) }
    }
}

/// See [`RaftDriver::committed`].
pub(super) async fn committed<E: Env>(
    driver: &RaftDriver<E>,
    epoch: i32,
    offset: i64,
) -> Result<(), ErrorCode> {
    let mut view = driver.view.subscribe();
    loop {
        {
            let QuorumView { epoch: now, is_me, high_watermark, .. } = *view.borrow_and_update();
            if now != epoch || !is_me {
                return Err(driver.over());
            }
            if high_watermark > offset {
                return Ok(());
            }
        }
        // Alone, this is all there is to wait for, and whoever waits takes the step itself.
        let lsn = driver.lsn_of(offset);
        tokio::select! {
            biased;
            durable = driver.data_dir.wait_durable(lsn.unwrap_or_default()), if lsn.is_some() => {
                if durable.is_err() {
                    return Err(ErrorCode::KafkaStorageError);
                }
                driver.note_durable();
            }
            changed = view.changed() => if changed.is_err() { return Err(driver.over()) },
        }
    }
}

impl<E: Env> RaftDriver<E> {
    /// The position with which `offset` becomes durable; nothing where it is so already, or still waits for its place.
    fn lsn_of(&self, offset: i64) -> Option<u64> {
        let core = self.core.lock();
        core.undurable.iter().find(|(_, at)| at.offset > offset).map(|(lsn, _)| *lsn)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ottla_config::{BrokerConfig, Layers, Setting};
    use ottla_env::sim::{Sim, SimEnv};
    use ottla_protocol::messages::NoOpRecord;

    use super::*;
    use crate::log::{DataDir, DataDirOptions};
    use crate::node::{ConfigCell, NodeIdentity};

    async fn alone(env: &SimEnv) -> Arc<RaftDriver<SimEnv>> {
        let flags = [("node.id", "1"), ("log.dirs", "/data")];
        let flags = flags.map(|(key, value)| Setting::flag(key.to_owned(), value.to_owned()));
        let config = BrokerConfig::build(Layers::new(flags.to_vec())).expect("it is in order");
        let options = DataDirOptions { node_id: 1, ..DataDirOptions::new("/data") };
        let (data_dir, _) = DataDir::open(env.clone(), options).expect("an empty disk");
        let node = NodeIdentity {
            node_id: 1,
            cluster_id: Arc::from(data_dir.cluster_id()),
            directory_id: data_dir.directory_id(),
        };
        let opened = RaftDriver::open(env.clone(), data_dir, node, ConfigCell::new(config), &[]);
        opened.await.expect("a quorum of one")
    }

    /// Goal: records that rest on their place, as a registration does whose offset is the broker's epoch,
    /// are there or nowhere.
    #[test]
    fn a_place_that_is_taken_is_not_taken_again() {
        let sim = Sim::new(1);
        let env = sim.node("n1");
        sim.block_on(async {
            let raft = alone(&env).await;
            let epoch = raft.watch().borrow().epoch;
            let record = [NoOpRecord::default().into()];
            let place = raft.next_offset();
            assert_eq!(raft.append(epoch, place, &record, 20).await, Ok(place));
            assert_eq!(raft.append(epoch, place, &record, 20).await, Err(Unplaced::Taken));
            assert_eq!(raft.next_offset(), place + 1, "nothing was appended");
            let refused = Err(Unplaced::Refused(ErrorCode::NotController));
            assert_eq!(raft.append(epoch + 1, place + 1, &record, 20).await, refused);
            assert_eq!(raft.append(epoch, place + 1, &record, 20).await, Ok(place + 1));
        });
    }
}
