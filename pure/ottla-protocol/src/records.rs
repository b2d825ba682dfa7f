//! Record batches: the headers that brokers patch in place, the records inside, and the old formats they grew
//! out of. Nothing here copies a batch that is only passed on.

mod attributes;
mod crc;
pub mod compression;
mod batch_error;
mod varint;
mod header;
mod batches;
mod record;
mod builder;
pub mod control;
pub mod coordinator_record;
pub mod legacy;
pub mod metadata_frame;

pub use attributes::TimestampType;
pub use batch_error::BatchError;
pub use batches::{Batches, batches};
pub use builder::{BatchBuilder, BatchOptions};
pub use compression::{Compression, compress, decompress};
pub use crc::{crc32, crc32c};
pub use header::{
    BATCH_HEADER_SIZE, BatchHeader, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    set_base_offset, set_leader_epoch, set_max_timestamp, verify_crc,
};
pub use record::{Record, RecordIter, RecordRef, records};
