//! Fencing: a broker out of touch leads nothing and is in sync for nothing until it is back. Also
//! the records that say so, and those for a broker that is about to stop or lost a directory.

use ottla_protocol::Uuid;
use ottla_protocol::messages::BrokerRegistrationChangeRecord;

use super::updates::{self, Movement, Progress};
use super::{RECORDS_MAX, Soft};
use crate::image::{Broker, MetadataImage, PartitionId};
use crate::record::MetadataRecord;

/// In a record: the fence goes up, or comes down.
const FENCE: i8 = 1;
const UNFENCE: i8 = -1;
const IN_CONTROLLED_SHUTDOWN: i8 = 1;

pub(super) fn fence_record(broker: &Broker) -> BrokerRegistrationChangeRecord {
    change(broker.id, broker.epoch, |record| record.fenced = FENCE)
}

pub(super) fn unfence_record(id: i32, epoch: i64) -> BrokerRegistrationChangeRecord {
    change(id, epoch, |record| record.fenced = UNFENCE)
}

/// A change of one thing in the registration.
pub(super) fn change(
    broker_id: i32,
    broker_epoch: i64,
    set: impl FnOnce(&mut BrokerRegistrationChangeRecord),
) -> BrokerRegistrationChangeRecord {
    let mut record =
        BrokerRegistrationChangeRecord { broker_id, broker_epoch, ..Default::default() };
    set(&mut record);
    record
}

/// The broker leaves its ISRs, then is fenced. Where a batch does not hold all of that, the fence
/// stands already and the rest follows at the next tick.
pub(super) fn fence(
    image: &MetadataImage,
    soft: &mut Soft,
    broker: &Broker,
    records: &mut Vec<MetadataRecord>,
) {
    leave(image, soft, broker.id, records);
    records.push(fence_record(broker).into());
}

/// The fence comes down, and what nobody leads may have a leader.
pub(super) fn unfence(
    image: &MetadataImage,
    soft: &mut Soft,
    broker: &Broker,
    records: &mut Vec<MetadataRecord>,
) {
    records.push(unfence_record(broker.id, broker.epoch).into());
    soft.levels.leaderless = true;
    let leaderless = image.topics.without_leader();
    let movement = Movement::comes(broker.id);
    let _progress = updates::of_partitions(image, soft, movement, leaderless, records);
}

/// The broker is about to stop: it hands over what it leads.
pub(super) fn begin_shutdown(
    image: &MetadataImage,
    soft: &mut Soft,
    broker: &Broker,
    records: &mut Vec<MetadataRecord>,
) {
    if !broker.in_controlled_shutdown {
        let stopping = change(broker.id, broker.epoch, |record| {
            record.in_controlled_shutdown = IN_CONTROLLED_SHUTDOWN;
        });
        records.push(stopping.into());
    }
    leave(image, soft, broker.id, records);
}

/// Takes the broker out of its ISRs, as far as a batch goes; a later tick sees to it that it is.
fn leave(image: &MetadataImage, soft: &mut Soft, id: i32, records: &mut Vec<MetadataRecord>) {
    soft.levels.note(id);
    let in_sync = image.topics.in_sync_of(id);
    // Room for the record that says why.
    let records_max = RECORDS_MAX - 1;
    let movement = Movement::leaves(id);
    let _progress =
        updates::of_partitions_within(image, soft, movement, in_sync, records, records_max);
}

/// Replicas in directories that are gone lead no more. The registration forgets the directories once
/// all of that is said: until then the broker's next heartbeat brings it up again.
pub(super) fn lose_directories(
    image: &MetadataImage,
    soft: &Soft,
    broker: &Broker,
    offline: &[Uuid],
    records: &mut Vec<MetadataRecord>,
) {
    let (lost, left): (Vec<Uuid>, Vec<Uuid>) =
        broker.log_dirs.iter().partition(|dir| offline.contains(dir));
    if lost.is_empty() {
        return;
    }
    let is_lost = |id: &PartitionId| {
        let partition = updates::find(image, *id).map(|(_, partition)| partition);
        let directory = partition.and_then(|partition| partition.directory(broker.id));
        directory.is_some_and(|directory| lost.contains(&directory))
    };
    let in_sync = image.topics.in_sync_of(broker.id).filter(is_lost);
    let movement = Movement::leaves(broker.id);
    let records_max = RECORDS_MAX - 1;
    let progress =
        updates::of_partitions_within(image, soft, movement, in_sync, records, records_max);
    // No directories at all would read as no change; such a broker stops by itself.
    if progress == Progress::Complete && !left.is_empty() {
        records.push(change(broker.id, broker.epoch, |record| record.log_dirs = left).into());
    }
}
