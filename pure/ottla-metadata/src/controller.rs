//! `Controller`: who may change the cluster's metadata. `handle` decides and changes nothing;
//! `replay` changes and decides nothing. Reads no clock: time and chance come with the call.
//!
//! Two kinds of functions in here: `handle` and what it calls, which look at the image and answer
//! with records and a reply; and `replay`, which applies what was written.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, CreatePartitionsRequest, CreatePartitionsResponse,
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use crate::image::{MetadataImage, ReplayError};
use crate::record::MetadataRecord;

mod assignment;
mod bootstrap;
mod brokers;
mod config_changes;
mod configs;
mod create_topic;
mod entropy;
mod internal_topics;
mod partitions;
mod producer_ids;
mod refusal;
mod soft;
mod topics;

pub use bootstrap::BOOTSTRAP_NAME;
pub use brokers::Registration;
pub use internal_topics::NewTopic;
pub use producer_ids::{PRODUCER_ID_BLOCK, ProducerIdBlock};
pub use soft::Soft;

/// Most records that one command may make; Kafka's limit, so that one append stays one batch.
pub const RECORDS_MAX: usize = 10_000;

/// Something to decide.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Makes the first records of a cluster; nothing where there are some.
    Bootstrap,
    RegisterBroker(Registration),
    /// Gives partitions of a broker that comes back a new leader epoch: what the dead process
    /// acknowledged last may be gone, and an epoch must not name two histories. Answers how many
    /// are left for the next such command.
    RenewLeaderEpochs {
        broker_id: i32,
    },
    CreateTopics(CreateTopicsRequest),
    /// Topics the broker wants by itself: auto-created ones and the cluster's own.
    EnsureTopics(Vec<NewTopic>),
    DeleteTopics {
        request: DeleteTopicsRequest,
        version: i16,
    },
    CreatePartitions(CreatePartitionsRequest),
    AlterConfigs(AlterConfigsRequest),
    IncrementalAlterConfigs(IncrementalAlterConfigsRequest),
    AllocateProducerIds {
        broker_id: i32,
        broker_epoch: i64,
    },
}

/// The answer to a command, to be given once its records are committed.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    Done,
    Registered {
        broker_epoch: i64,
    },
    Remaining(usize),
    CreateTopics(CreateTopicsResponse),
    /// One answer per topic, in the order of the command.
    EnsureTopics(Vec<Result<(), Refusal>>),
    DeleteTopics(DeleteTopicsResponse),
    CreatePartitions(CreatePartitionsResponse),
    AlterConfigs(AlterConfigsResponse),
    IncrementalAlterConfigs(IncrementalAlterConfigsResponse),
    ProducerIds(ProducerIdBlock),
    Refused(Refusal),
}

pub use refusal::Refusal;

/// What a command leads to. The records are atomic: all are committed, or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    pub records: Vec<MetadataRecord>,
    pub reply: Reply,
}

impl Decision {
    fn answer(reply: Reply) -> Self {
        Self { records: Vec::new(), reply }
    }

    fn refuse(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::answer(Reply::Refused(Refusal::new(code, message)))
    }
}

/// The replicated machine. Its whole hard state is the image.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Controller {
    image: MetadataImage,
    /// The image as it was when the open transaction began.
    before_transaction: Option<Box<MetadataImage>>,
}

impl Controller {
    /// What brokers may read: without the records of a transaction that is still open.
    pub fn image(&self) -> &MetadataImage {
        self.before_transaction.as_deref().unwrap_or(&self.image)
    }

    /// Offset of the next record of the log.
    pub fn next_offset(&self) -> i64 {
        self.image.next_offset
    }

    pub fn handle(&self, soft: &mut Soft, _now_ms: i64, command: Command) -> Decision {
        match command {
            Command::Bootstrap => bootstrap::handle(&self.image),
            Command::RegisterBroker(registration) => brokers::register(&self.image, registration),
            Command::RenewLeaderEpochs { broker_id } => {
                brokers::renew_leader_epochs(&self.image, soft, broker_id)
            }
            Command::CreateTopics(request) => topics::create(&self.image, soft, request),
            Command::EnsureTopics(topics) => internal_topics::ensure(&self.image, soft, topics),
            Command::DeleteTopics { request, version } => {
                topics::delete(&self.image, soft, &request, version)
            }
            Command::CreatePartitions(request) => partitions::create(&self.image, soft, request),
            Command::AlterConfigs(request) => configs::alter(&self.image, soft, &request),
            Command::IncrementalAlterConfigs(request) => {
                configs::incremental_alter(&self.image, soft, &request)
            }
            Command::AllocateProducerIds { broker_id, broker_epoch } => {
                producer_ids::allocate(&self.image, broker_id, broker_epoch)
            }
        }
    }

    /// Applies one committed record, in the order of the log. After an error the log is not to be
    /// trusted: the caller stops.
    pub fn replay(&mut self, record: &MetadataRecord) -> Result<(), ReplayError> {
        match record {
            MetadataRecord::BeginTransaction(_) => {
                if self.before_transaction.is_some() {
                    return Err(ReplayError::Transaction("it begins a transaction inside another"));
                }
                self.before_transaction = Some(Box::new(self.image.clone()));
            }
            MetadataRecord::EndTransaction(_) => {
                if self.before_transaction.take().is_none() {
                    return Err(ReplayError::Transaction("it ends a transaction that never began"));
                }
            }
            MetadataRecord::AbortTransaction(_) => match self.before_transaction.take() {
                Some(before) => {
                    let next_offset = self.image.next_offset;
                    self.image = *before;
                    self.image.next_offset = next_offset;
                }
                None => {
                    let what = "it aborts a transaction that never began";
                    return Err(ReplayError::Transaction(what));
                }
            },
            record => self.image.apply(record)?,
        }
        self.image.next_offset += 1;
        Ok(())
    }

    /// Notes records of the log that carry no metadata, such as a change of the quorum's leader.
    pub fn skip_to(&mut self, next_offset: i64) {
        self.image.next_offset = self.image.next_offset.max(next_offset);
    }

    /// Whether the log stops inside a transaction, whose rest will never come.
    pub fn has_open_transaction(&self) -> bool {
        self.before_transaction.is_some()
    }
}

#[cfg(test)]
mod tests;
