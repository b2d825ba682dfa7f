//! Control records: the markers of transactions and of the metadata log, which consumers never see.

use bytes::Bytes;

use crate::decode_error::DecodeError;
use crate::decoder::Decoder;
use crate::encode_error::EncodeError;
use crate::encoder::Encoder;
use crate::message::{Message, decode_exact};
use crate::messages::{
    EndTxnMarker, KRaftVersionRecord, LeaderChangeMessage, SnapshotFooterRecord,
    SnapshotHeaderRecord, VotersRecord,
};
use crate::records::batch_error::BatchError;
use crate::records::builder::{BatchBuilder, BatchOptions};
use crate::records::header::BatchHeader;
use crate::records::record::Record;

/// The version of every control record's key.
const KEY_VERSION: i16 = 0;

#[derive(Debug, Clone, PartialEq)]
pub enum ControlRecord {
    Abort(EndTxnMarker),
    Commit(EndTxnMarker),
    LeaderChange(LeaderChangeMessage),
    SnapshotHeader(SnapshotHeaderRecord),
    SnapshotFooter(SnapshotFooterRecord),
    KRaftVersion(KRaftVersionRecord),
    KRaftVoters(VotersRecord),
    /// A type from the future; readers skip it.
    Unknown(i16),
}

impl ControlRecord {
    pub fn type_id(&self) -> i16 {
        match self {
            Self::Abort(_) => 0,
            Self::Commit(_) => 1,
            Self::LeaderChange(_) => 2,
            Self::SnapshotHeader(_) => 3,
            Self::SnapshotFooter(_) => 4,
            Self::KRaftVersion(_) => 5,
            Self::KRaftVoters(_) => 6,
            Self::Unknown(id) => *id,
        }
    }

    pub fn parse(record: &Record) -> Result<ControlRecord, BatchError> {
        let key = record.key.clone().unwrap_or_default();
        let value = record.value.clone().unwrap_or_default();
        Self::decode(key, value).map_err(BatchError::InvalidControl)
    }

    fn decode(key: Bytes, value: Bytes) -> Result<ControlRecord, DecodeError> {
        let mut d = Decoder::new(key);
        d.enter("control record key", KEY_VERSION);
        let _version = d.i16("Version")?;
        Ok(match d.i16("Type")? {
            0 => Self::Abort(marker(value)?),
            1 => Self::Commit(marker(value)?),
            2 => Self::LeaderChange(versioned(value)?),
            3 => Self::SnapshotHeader(versioned(value)?),
            4 => Self::SnapshotFooter(versioned(value)?),
            5 => Self::KRaftVersion(versioned(value)?),
            6 => Self::KRaftVoters(versioned(value)?),
            id => Self::Unknown(id),
        })
    }

    /// Key and value of the record.
    pub fn encode(&self) -> Result<(Bytes, Bytes), EncodeError> {
        let mut key = Encoder::new();
        key.put_i16(KEY_VERSION);
        key.put_i16(self.type_id());
        let mut value = Encoder::new();
        match self {
            Self::Abort(marker) | Self::Commit(marker) => {
                value.put_i16(0);
                marker.encode(&mut value, 0)?;
            }
            Self::LeaderChange(m) => m.encode(&mut value, m.version)?,
            Self::SnapshotHeader(m) => m.encode(&mut value, m.version)?,
            Self::SnapshotFooter(m) => m.encode(&mut value, m.version)?,
            Self::KRaftVersion(m) => m.encode(&mut value, m.version)?,
            Self::KRaftVoters(m) => m.encode(&mut value, m.version)?,
            Self::Unknown(_) => {}
        }
        Ok((key.into_bytes(), value.into_bytes()))
    }
}

/// A marker's value: its version, then the body. Versions of the future only add fields.
fn marker(value: Bytes) -> Result<EndTxnMarker, DecodeError> {
    let mut d = Decoder::new(value);
    d.enter("EndTxnMarker", 0);
    let version = d.i16("Version")?;
    EndTxnMarker::decode(&mut d, version.clamp(0, *EndTxnMarker::VERSIONS.end()))
}

/// The records of the metadata log carry their version as their first field.
fn versioned<M: Message>(value: Bytes) -> Result<M, DecodeError> {
    let mut d = Decoder::new(value.clone());
    d.enter(M::NAME, *M::VERSIONS.start());
    let version = d.i16("Version")?;
    decode_exact(value, version.clamp(*M::VERSIONS.start(), *M::VERSIONS.end()))
}

/// A batch of control records; `options.control` is set here.
pub fn batch(
    options: BatchOptions,
    timestamp: i64,
    records: &[ControlRecord],
) -> Result<Bytes, EncodeError> {
    let mut builder = BatchBuilder::new(BatchOptions { control: true, ..options });
    for record in records {
        let (key, value) = record.encode()?;
        builder.push(timestamp, Some(&key), Some(&value), &[]);
    }
    Ok(builder.build())
}

/// The batch that ends a transaction on one partition; `options` names the producer.
pub fn end_transaction(
    options: BatchOptions,
    timestamp: i64,
    commit: bool,
    coordinator_epoch: i32,
) -> Result<Bytes, EncodeError> {
    let marker = EndTxnMarker { coordinator_epoch };
    let record = if commit { ControlRecord::Commit(marker) } else { ControlRecord::Abort(marker) };
    batch(BatchOptions { transactional: true, ..options }, timestamp, &[record])
}

/// The first control record of a control batch; `None` for any other batch.
pub fn first_of(header: &BatchHeader, batch: &Bytes) -> Result<Option<ControlRecord>, BatchError> {
    if !header.is_control() {
        return Ok(None);
    }
    // Control batches are tiny and never compressed: their own size bounds them.
    let mut records = crate::records::record::records(header, batch, batch.len())?;
    match records.next() {
        None => Ok(None),
        Some(record) => ControlRecord::parse(&record?).map(Some),
    }
}
