//! `MetadataRecord`: one record of `__cluster_metadata` in Kafka's framing (frame version, api key,
//! version, body). An unknown record is an error, never skipped: what it means would be lost.

use std::fmt;

use bytes::Bytes;
use ottla_protocol::messages::*;
use ottla_protocol::{Decoder, Encoder, Message};

/// The only frame version there is.
const FRAME_VERSION: u32 = 1;

macro_rules! metadata_records {
    ($($key:literal $variant:ident($record:ident) = $version:expr;)*) => {
        /// A record of the metadata log.
        #[derive(Debug, Clone, PartialEq)]
        pub enum MetadataRecord {
            $($variant($record),)*
        }

        impl MetadataRecord {
            /// Kafka's name of the record.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$record as Message>::NAME,)*
                }
            }

            /// Kafka's number of the record.
            pub fn api_key(&self) -> i16 {
                match self {
                    $(Self::$variant(_) => $key,)*
                }
            }

            /// The version this record is written in where the cluster has agreed on this level of
            /// metadata.version: the members that are not newer must be able to read it.
            pub fn version_at(&self, metadata_version: i16) -> i16 {
                match self {
                    $(Self::$variant(record) => {
                        let version: fn(&$record, i16) -> i16 = $version;
                        version(record, metadata_version)
                    })*
                }
            }

            fn encode_body(&self, e: &mut Encoder, version: i16) -> Result<(), RecordError> {
                match self {
                    $(Self::$variant(record) => record.encode(e, version),)*
                }
                .map_err(|error| RecordError::Body(error.to_string()))
            }

            fn decode_body(d: &mut Decoder, key: u32, version: i16) -> Result<Self, RecordError> {
                let body = |error: ottla_protocol::DecodeError| RecordError::Body(error.to_string());
                match key {
                    $($key => {
                        if !<$record as Message>::VERSIONS.contains(&version) {
                            return Err(RecordError::UnknownVersion { key, version });
                        }
                        <$record>::decode(d, version).map(Self::$variant).map_err(body)
                    })*
                    _ => Err(RecordError::UnknownKey(key)),
                }
            }
        }

        $(impl From<$record> for MetadataRecord {
            fn from(record: $record) -> Self {
                Self::$variant(record)
            }
        })*
    };
}

metadata_records! {
    0 RegisterBroker(RegisterBrokerRecord) = |_, level| register_broker_version(level);
    1 UnregisterBroker(UnregisterBrokerRecord) = |_, _| 0;
    2 Topic(TopicRecord) = |_, _| 0;
    3 Partition(PartitionRecord) = |_, level| partition_version(level);
    4 Config(ConfigRecord) = |_, _| 0;
    5 PartitionChange(PartitionChangeRecord) = |_, level| partition_version(level);
    7 FenceBroker(FenceBrokerRecord) = |_, _| 0;
    8 UnfenceBroker(UnfenceBrokerRecord) = |_, _| 0;
    9 RemoveTopic(RemoveTopicRecord) = |_, _| 0;
    10 DelegationToken(DelegationTokenRecord) = |_, _| 0;
    11 UserScramCredential(UserScramCredentialRecord) = |_, _| 0;
    12 FeatureLevel(FeatureLevelRecord) = |_, _| 0;
    14 ClientQuota(ClientQuotaRecord) = |_, _| 0;
    15 ProducerIds(ProducerIdsRecord) = |_, _| 0;
    17 BrokerRegistrationChange(BrokerRegistrationChangeRecord) = |record, _| registration_change_version(record);
    18 AccessControlEntry(AccessControlEntryRecord) = |_, _| 0;
    19 RemoveAccessControlEntry(RemoveAccessControlEntryRecord) = |_, _| 0;
    20 NoOp(NoOpRecord) = |_, _| 0;
    21 ZkMigrationState(ZkMigrationStateRecord) = |_, _| 0;
    22 RemoveUserScramCredential(RemoveUserScramCredentialRecord) = |_, _| 0;
    23 BeginTransaction(BeginTransactionRecord) = |_, _| 0;
    24 EndTransaction(EndTransactionRecord) = |_, _| 0;
    25 AbortTransaction(AbortTransactionRecord) = |_, _| 0;
    26 RemoveDelegationToken(RemoveDelegationTokenRecord) = |_, _| 0;
    27 RegisterController(RegisterControllerRecord) = |_, _| 0;
    28 ClearElr(ClearElrRecord) = |_, _| 0;
    29 UnregisterController(UnregisterControllerRecord) = |_, _| 0;
}

fn register_broker_version(metadata_version: i16) -> i16 {
    match metadata_version {
        ..8 => 1,
        8..17 => 2,
        17..30 => 3,
        30.. => 4,
    }
}

/// Directories came with 3.7-IV2, eligible leader replicas with 4.0-IV1.
fn partition_version(metadata_version: i16) -> i16 {
    match metadata_version {
        ..17 => 0,
        17..23 => 1,
        23.. => 2,
    }
}

/// Kafka writes a change of registration in the lowest version that can hold it.
fn registration_change_version(record: &BrokerRegistrationChangeRecord) -> i16 {
    if record.cordoned_log_dirs.is_some() {
        3
    } else if !record.log_dirs.is_empty() {
        2
    } else {
        i16::from(record.in_controlled_shutdown != 0)
    }
}

impl MetadataRecord {
    /// The value of this record in the log of a cluster at the newest level.
    pub fn encode(&self) -> Result<Bytes, RecordError> {
        self.encode_at(i16::MAX)
    }

    /// The value of this record where the cluster has agreed on this level of metadata.version.
    pub fn encode_at(&self, metadata_version: i16) -> Result<Bytes, RecordError> {
        let mut e = Encoder::new();
        let version = self.version_at(metadata_version);
        e.put_unsigned_varint(FRAME_VERSION);
        e.put_unsigned_varint(self.api_key() as u32);
        e.put_unsigned_varint(version as u32);
        self.encode_body(&mut e, version)?;
        Ok(e.into_bytes())
    }

    /// Reads the value of a record; every byte must be understood.
    pub fn decode(value: Bytes) -> Result<Self, RecordError> {
        let mut d = Decoder::new(value);
        d.enter("MetadataRecord", 0);
        let header = |error: ottla_protocol::DecodeError| RecordError::Header(error.to_string());
        let frame = d.unsigned_varint("frameVersion").map_err(header)?;
        if frame != FRAME_VERSION {
            return Err(RecordError::FrameVersion(frame));
        }
        let key = d.unsigned_varint("apiKey").map_err(header)?;
        let version = d.unsigned_varint("version").map_err(header)?;
        let version = i16::try_from(version)
            .map_err(|_| RecordError::UnknownVersion { key, version: i16::MAX })?;
        let record = Self::decode_body(&mut d, key, version)?;
        d.finish().map_err(|error| RecordError::Body(error.to_string()))?;
        Ok(record)
    }
}

/// Why the bytes of a record cannot be understood, or a record cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordError {
    FrameVersion(u32),
    UnknownKey(u32),
    UnknownVersion { key: u32, version: i16 },
    Header(String),
    Body(String),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FrameVersion(version) => {
                write!(f, "frame version {version} of a metadata record is not known")
            }
            Self::UnknownKey(key) => write!(
                f,
                "metadata record type {key} is not known to this version; it was written by a newer one"
            ),
            Self::UnknownVersion { key, version } => write!(
                f,
                "version {version} of metadata record type {key} is not known to this version"
            ),
            Self::Header(error) => write!(f, "the header of a metadata record is damaged: {error}"),
            Self::Body(error) => write!(f, "a metadata record is damaged: {error}"),
        }
    }
}

impl std::error::Error for RecordError {}

#[cfg(test)]
mod tests;
