//! `Controller`: who may change the cluster's metadata. `handle` decides and changes nothing;
//! `replay` changes and decides nothing. Reads no clock: time and chance come with the call.
//!
//! Two kinds of functions in here: `handle` and what it calls, which look at the image and answer
//! with records and a reply; and `replay`, which applies what was written.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse, AlterPartitionRequest, AlterPartitionResponse,
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerHeartbeatRequest,
    BrokerHeartbeatResponse, BrokerRegistrationRequest, ControllerRegistrationRequest,
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, ElectLeadersRequest, ElectLeadersResponse,
    IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, UnregisterBrokerRequest,
    UnregisterControllerRequest, UpdateFeaturesRequest, UpdateFeaturesResponse,
};

use crate::image::{MetadataImage, ReplayError};
use crate::record::MetadataRecord;

mod alter_partition;
mod assign_dirs;
mod assignment;
mod bootstrap;
mod config_changes;
mod configs;
mod create_topic;
mod elect_leaders;
mod entropy;
mod fencing;
mod heartbeat;
mod internal_topics;
mod leaders;
mod levels;
mod min_isr;
mod partition_change;
mod partitions;
mod placer;
mod producer_ids;
mod reassign;
mod reassignment;
mod refusal;
mod registration;
mod renewal;
mod sessions;
mod soft;
mod tick;
mod topics;
mod unregister;
mod update_features;
mod updates;

pub use bootstrap::BOOTSTRAP_NAME;
pub use internal_topics::NewTopic;
pub use producer_ids::{PRODUCER_ID_BLOCK, ProducerIdBlock};
pub use soft::Soft;

/// Most records that one command may make; Kafka's limit, so that one append stays one batch.
pub const RECORDS_MAX: usize = 10_000;

/// Something to decide.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Makes the first records of a cluster; nothing where there are some. What the directory was
    /// formatted with counts for more than this node's own wishes.
    Bootstrap(Vec<MetadataRecord>),
    /// A broker joins, fenced until its heartbeats say that it has read the metadata.
    RegisterBroker {
        request: BrokerRegistrationRequest,
        version: i16,
        /// The broker is this very process, and the process is the whole quorum: it has read the
        /// metadata, so the fence comes down at once, and no session of it can expire.
        unfence: bool,
    },
    BrokerHeartbeat(BrokerHeartbeatRequest),
    /// Nobody listens any more where this life of a broker did: its process is gone, and its session
    /// need not run out before others lead what it led.
    BrokerLost {
        broker_id: i32,
        broker_epoch: i64,
    },
    /// Due at [`Controller::deadline_ms`].
    Tick,
    AlterPartition {
        request: AlterPartitionRequest,
        version: i16,
    },
    ElectLeaders(ElectLeadersRequest),
    AlterPartitionReassignments(AlterPartitionReassignmentsRequest),
    ListPartitionReassignments(ListPartitionReassignmentsRequest),
    AssignReplicasToDirs(AssignReplicasToDirsRequest),
    UnregisterBroker(UnregisterBrokerRequest),
    RegisterController(ControllerRegistrationRequest),
    UnregisterController(UnregisterControllerRequest),
    /// Of kraft.version it only says whether the members have it: that is raised by the quorum.
    UpdateFeatures {
        request: UpdateFeaturesRequest,
        version: i16,
    },
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
    BrokerHeartbeat(BrokerHeartbeatResponse),
    AlterPartition(AlterPartitionResponse),
    ElectLeaders(ElectLeadersResponse),
    AlterPartitionReassignments(AlterPartitionReassignmentsResponse),
    ListPartitionReassignments(ListPartitionReassignmentsResponse),
    AssignReplicasToDirs(AssignReplicasToDirsResponse),
    UpdateFeatures(UpdateFeaturesResponse),
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
    /// The machine as a snapshot has it, which stands for everything below `next_offset`.
    pub fn from_snapshot(
        records: &[MetadataRecord],
        next_offset: i64,
    ) -> Result<Self, (&'static str, ReplayError)> {
        let mut machine = Self::default();
        for record in records {
            machine.replay(record).map_err(|error| (record.name(), error))?;
        }
        machine.image.next_offset = next_offset;
        Ok(machine)
    }

    /// What brokers may read: without the records of a transaction that is still open.
    pub fn image(&self) -> &MetadataImage {
        self.before_transaction.as_deref().unwrap_or(&self.image)
    }

    /// Offset of the next record of the log.
    pub fn next_offset(&self) -> i64 {
        self.image.next_offset
    }

    /// Decides one command. `now_ms` only ever grows, and is not the time of day.
    pub fn handle(&self, soft: &mut Soft, now_ms: i64, command: Command) -> Decision {
        soft.follow(&self.image, now_ms);
        let decision = self.decide(soft, now_ms, command);
        if let Some(clocks) = soft.clocks.as_mut().filter(|_| !decision.records.is_empty()) {
            clocks.written_ms = now_ms;
        }
        decision
    }

    /// When [`Command::Tick`] has something to do; a time that has passed means now.
    pub fn deadline_ms(&self, soft: &Soft) -> Option<i64> {
        tick::deadline_ms(&self.image, soft)
    }

    fn decide(&self, soft: &mut Soft, now_ms: i64, command: Command) -> Decision {
        let image = &self.image;
        match command {
            Command::Bootstrap(formatted) => bootstrap::handle(image, soft, formatted),
            Command::RegisterBroker { request, version, unfence } => {
                let asked = registration::Asked { request, version, unfence };
                registration::register(image, soft, now_ms, asked)
            }
            Command::BrokerHeartbeat(request) => {
                heartbeat::heartbeat(image, soft, now_ms, &request)
            }
            Command::BrokerLost { broker_id, broker_epoch } => {
                heartbeat::lost(image, soft, broker_id, broker_epoch)
            }
            Command::Tick => tick::tick(image, soft, now_ms),
            Command::AlterPartition { request, version } => {
                alter_partition::alter(image, soft, &request, version)
            }
            Command::ElectLeaders(request) => elect_leaders::elect(image, soft, &request),
            Command::AlterPartitionReassignments(request) => reassign::alter(image, soft, &request),
            Command::ListPartitionReassignments(request) => reassign::list(image, &request),
            Command::AssignReplicasToDirs(request) => assign_dirs::assign(image, soft, &request),
            Command::UnregisterBroker(request) => {
                unregister::broker(image, soft, request.broker_id)
            }
            Command::RegisterController(request) => unregister::register_controller(image, request),
            Command::UnregisterController(request) => {
                unregister::controller(image, soft, request.controller_id)
            }
            Command::UpdateFeatures { request, version } => {
                update_features::update(image, soft, &request, version)
            }
            Command::RenewLeaderEpochs { broker_id } => {
                renewal::renew_leader_epochs(image, soft, broker_id)
            }
            Command::CreateTopics(request) => topics::create(image, soft, request),
            Command::EnsureTopics(topics) => internal_topics::ensure(image, soft, topics),
            Command::DeleteTopics { request, version } => {
                topics::delete(image, soft, &request, version)
            }
            Command::CreatePartitions(request) => partitions::create(image, soft, request),
            Command::AlterConfigs(request) => configs::alter(image, soft, &request),
            Command::IncrementalAlterConfigs(request) => {
                configs::incremental_alter(image, soft, &request)
            }
            Command::AllocateProducerIds { broker_id, broker_epoch } => {
                producer_ids::allocate(image, broker_id, broker_epoch)
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

    /// Takes the committed image in place of its own where both stand at the same record: both are what
    /// the log says, and are in memory once then.
    pub fn share(&mut self, committed: &MetadataImage) {
        let same = self.image.next_offset == committed.next_offset;
        if same && self.before_transaction.is_none() {
            self.image = committed.clone();
        }
    }

    /// Whether the log stops inside a transaction, whose rest will never come.
    pub fn has_open_transaction(&self) -> bool {
        self.before_transaction.is_some()
    }
}

#[cfg(test)]
mod tests;
