//! Producer ids are given to brokers in blocks: only one record per thousand producers.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ProducerIdsRecord;

use super::{Decision, Reply, heartbeat};
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
    if let Err(refusal) = heartbeat::registered(image, broker_id, broker_epoch) {
        return Decision::answer(Reply::Refused(refusal));
    }
    let first = image.producer_ids.next_producer_id;
    let Some(next_producer_id) = first.checked_add(PRODUCER_ID_BLOCK) else {
        let message = "Exhausted all producerIds as the next block's end producerId has exceeded the \
                       int64 type limit";
        return Decision::refuse(ErrorCode::UnknownServerError, message);
    };
    let record =
        ProducerIdsRecord { broker_id, broker_epoch, next_producer_id, ..Default::default() };
    let block = ProducerIdBlock { first, length: PRODUCER_ID_BLOCK };
    Decision { records: vec![record.into()], reply: Reply::ProducerIds(block) }
}
