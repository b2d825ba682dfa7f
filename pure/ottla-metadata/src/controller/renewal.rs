//! See [`super::Command::RenewLeaderEpochs`].

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::PartitionChangeRecord;

use super::{Decision, RECORDS_MAX, Reply, Soft};
use crate::image::{MetadataImage, PartitionId};
use crate::record::MetadataRecord;

pub(super) fn renew_leader_epochs(
    image: &MetadataImage,
    soft: &mut Soft,
    broker_id: i32,
) -> Decision {
    let Some(broker) = image.brokers.get(broker_id) else {
        let message = format!("Broker {broker_id} is not registered.");
        return Decision::refuse(ErrorCode::BrokerIdNotRegistered, message);
    };
    // One pass per life of a broker, resumed where the last command stopped.
    let from = match soft.renewal {
        Some((epoch, position)) if epoch == broker.epoch => position,
        _ => 0,
    };
    let led = image.topics.led_by(broker_id).skip(from);
    let renewed: Vec<MetadataRecord> =
        led.take(RECORDS_MAX).map(|id| name_leader(id, broker_id)).collect();
    let done = from + renewed.len();
    soft.renewal = Some((broker.epoch, done));
    let rest = image.topics.led_count(broker_id).saturating_sub(done);
    Decision { records: renewed, reply: Reply::Remaining(rest) }
}

/// Naming a leader, even the same one, begins a new leader epoch.
fn name_leader(id: PartitionId, leader: i32) -> MetadataRecord {
    let (topic_id, partition_id) = (id.topic_id, id.partition);
    PartitionChangeRecord { partition_id, topic_id, leader, ..Default::default() }.into()
}
