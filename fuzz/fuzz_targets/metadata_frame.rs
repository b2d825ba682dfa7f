//! Frames of the metadata log, and keys and values of the coordinators' logs.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ottla_protocol::messages::*;
use ottla_protocol::records::{coordinator_record, metadata_frame};

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(record) = metadata_frame::decode::<PartitionRecord>(bytes.clone()) {
        let _ = metadata_frame::encode(&record, 2);
    }
    let _ = metadata_frame::decode::<TopicRecord>(bytes.clone());
    let _ = metadata_frame::decode::<RegisterBrokerRecord>(bytes.clone());
    let _ = coordinator_record::decode_key::<OffsetCommitKey>(bytes.clone());
    let _ = coordinator_record::decode_key::<GroupMetadataKey>(bytes.clone());
    let _ = coordinator_record::decode_value::<OffsetCommitValue>(bytes.clone());
    let _ = coordinator_record::decode_value::<GroupMetadataValue>(bytes.clone());
    let _ = coordinator_record::decode_value::<TransactionLogValue>(bytes);
});
