//! Producer ids are given to brokers in blocks: only one record per thousand producers.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ProducerIdsRecord;

use super::{Decision, Reply};
use crate::image::MetadataImage;

/// Ids in a block, as in Kafka.
pub const PRODUCER_ID_BLOCK: i64 = 1000;

/// Ids that belong to one broker: `first` and the `length - 1` after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerIdBlock {
    pub first: i64,
    pub length: i64,
}

pub(super) fn allocate(image: &MetadataImage, broker_id: i32, broker_epoch: i64) -> Decision {
    match image.brokers.get(broker_id) {
        None => {
            let message = format!("Broker {broker_id} is not registered.");
            return Decision::refuse(ErrorCode::BrokerIdNotRegistered, message);
        }
        Some(broker) if broker.epoch != broker_epoch => {
            let message = format!(
                "Expected broker epoch {} of broker {broker_id}, but found {broker_epoch}.",
                broker.epoch
            );
            return Decision::refuse(ErrorCode::StaleBrokerEpoch, message);
        }
        Some(_) => {}
    }
    let first = image.producer_ids.next_producer_id;
    let Some(next_producer_id) = first.checked_add(PRODUCER_ID_BLOCK) else {
        return Decision::refuse(ErrorCode::UnknownServerError, "Every producer id is in use.");
    };
    let record =
        ProducerIdsRecord { broker_id, broker_epoch, next_producer_id, ..Default::default() };
    let block = ProducerIdBlock { first, length: PRODUCER_ID_BLOCK };
    Decision { records: vec![record.into()], reply: Reply::ProducerIds(block) }
}
