//! Records of a decision as one record batch, as Kafka's coordinator writes it.

use bytes::Bytes;
use ottla_coordinator::CoordinatorRecord;
use ottla_protocol::records::{BatchBuilder, BatchOptions};

pub(super) fn batch(records: &[CoordinatorRecord], timestamp_ms: i64) -> Bytes {
    // Kafka's coordinator counts from sequence 0 although there is no producer.
    let mut builder = BatchBuilder::new(BatchOptions { base_sequence: 0, ..Default::default() });
    for record in records {
        builder.push(timestamp_ms, Some(&record.key), record.value.as_deref(), &[]);
    }
    builder.build()
}
