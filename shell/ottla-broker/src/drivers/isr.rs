//! Asks the controller for the ISRs that leaders here want (AlterPartition), at most one request at a
//! time, and tells them what it said. On every tick each leader looks at what is, so that nothing that
//! was missed is missed for ever. The same look notes high watermarks in the log, so that a start need
//! not learn them anew, and ends all roles when the disk is gone.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, Task};
use ottla_protocol::messages::alter_partition_request::{BrokerState, PartitionData, TopicData};
use ottla_protocol::messages::{
    AlterPartitionRequest, AlterPartitionResponse, alter_partition_response,
};
use ottla_protocol::{ErrorCode, Uuid};
use ottla_replica::leader::{AlterOutcome, Altered, Proposal};

use crate::node::ConfigCell;
use crate::partition::office::PartitionKey;
use crate::partition::registry::{Partition, Registry};

/// Asks the active controller; an error means that nothing is known of what it did.
pub(crate) type Ask = Arc<
    dyn Fn(
            AlterPartitionRequest,
        )
            -> Pin<Box<dyn Future<Output = Result<AlterPartitionResponse, ErrorCode>> + Send>>
        + Send
        + Sync,
>;

/// Partitions in one request.
const ASKED_MAX: usize = 2000;
/// A look at the leaders is never further away than this, nor nearer.
const LOOK_MAX: Duration = Duration::from_secs(5);
const LOOK_MIN: Duration = Duration::from_millis(10);
/// High watermarks are noted as often as Kafka does.
const NOTE_PAUSE: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct IsrDriver<E: Env> {
    env: E,
    registry: Arc<Registry<E>>,
    config: ConfigCell,
    ask: Ask,
}

impl<E: Env> IsrDriver<E> {
    pub(crate) fn new(
        env: E,
        registry: Arc<Registry<E>>,
        config: ConfigCell,
        ask: Ask,
    ) -> Arc<Self> {
        Arc::new(Self { env, registry, config, ask })
    }

    /// Runs until it is aborted.
    pub(crate) fn start(self: &Arc<Self>) -> Task {
        self.env.spawn("isr", Arc::clone(self).run())
    }

    async fn run(self: Arc<Self>) {
        let mut look = self.env.sleep_until(self.env.now());
        let mut note = self.env.sleep(NOTE_PAUSE);
        loop {
            tokio::select! {
                biased;
                () = self.registry.office().asked() => self.put_questions().await,
                () = &mut look => {
                    let pause = self.tick();
                    look = self.env.sleep(pause);
                }
                () = &mut note => {
                    self.note();
                    note = self.env.sleep(NOTE_PAUSE);
                }
            }
        }
    }

    /// Lets every leader look at the time; answers how long until the next look.
    fn tick(&self) -> Duration {
        let mut next_ms = i64::MAX;
        for topic in self.registry.topics() {
            for partition in topic.partitions().filter(|partition| partition.leads_others()) {
                next_ms = next_ms.min(partition.tick().unwrap_or(i64::MAX));
            }
        }
        let left = next_ms.saturating_sub(self.registry.office().now_ms());
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        // As often as Kafka looks, or when something is due.
        let lag_ms = self.config.get().replication.replica_lag_time_max_ms;
        let usual = Duration::from_millis(u64::try_from(lag_ms / 2).unwrap_or(0));
        left.min(usual).clamp(LOOK_MIN, LOOK_MAX)
    }

    /// Notes how far replicated partitions are committed.
    fn note(&self) {
        for topic in self.registry.topics() {
            for partition in topic.partitions() {
                if partition.log.is_offline() {
                    partition.close(ErrorCode::KafkaStorageError);
                } else if let Err(error) = partition.log.note_high_watermark() {
                    let partition = partition.log.id();
                    tracing::debug!(%partition, %error, "the high watermark is not noted");
                }
            }
        }
    }

    async fn put_questions(&self) {
        let mut wanted = self.registry.office().take_proposals();
        while !wanted.is_empty() {
            let rest = match wanted.keys().nth(ASKED_MAX).copied() {
                Some(at) => wanted.split_off(&at),
                None => BTreeMap::new(),
            };
            self.put(&wanted).await;
            wanted = rest;
        }
    }

    async fn put(&self, wanted: &BTreeMap<PartitionKey, Proposal>) {
        let me = self.registry.office().me();
        let mut request = AlterPartitionRequest {
            broker_id: me.id,
            broker_epoch: me.broker_epoch,
            ..AlterPartitionRequest::default()
        };
        for ((topic_id, index), proposal) in wanted {
            let partition = asked(*index, proposal);
            match request.topics.last_mut().filter(|topic| topic.topic_id == *topic_id) {
                Some(topic) => topic.partitions.push(partition),
                None => {
                    let (topic_id, partitions) = (*topic_id, vec![partition]);
                    request.topics.push(TopicData { topic_id, partitions, ..Default::default() });
                }
            }
        }
        let response = (self.ask)(request).await;
        let response = match response {
            Ok(response) if response.error_code == 0 => Some(response),
            Ok(response) => {
                let error = ErrorCode::from_code_or_unknown(response.error_code);
                tracing::debug!(%error, "the controller does not change the in-sync replicas now");
                None
            }
            Err(error) => {
                tracing::debug!(%error, "the controller cannot be asked for in-sync replicas");
                None
            }
        };
        let answers = response.iter().flat_map(|response| &response.topics).flat_map(|topic| {
            topic.partitions.iter().map(|one| ((topic.topic_id, one.partition_index), one))
        });
        let answers: BTreeMap<PartitionKey, _> = answers.collect();
        let mut changed = 0;
        for (key, proposal) in wanted {
            let Some(partition) = self.partition(*key) else { continue };
            let outcome = answers.get(key).map_or(AlterOutcome::Unknown, |answer| outcome(answer));
            changed += usize::from(matches!(outcome, AlterOutcome::Noted { .. }));
            partition.altered(Altered {
                leader_epoch: proposal.leader_epoch,
                partition_epoch: proposal.partition_epoch,
                outcome,
            });
        }
        // One line for all: a broker that comes or goes changes thousands.
        if changed > 0 {
            tracing::info!(partitions = changed, "replicas in sync are others now");
        }
    }

    fn partition(&self, (topic_id, index): (Uuid, i32)) -> Option<Arc<Partition<E>>> {
        self.registry.topic_by_id(topic_id)?.partition(index).cloned()
    }
}

fn asked(index: i32, proposal: &Proposal) -> PartitionData {
    let members = proposal.isr.iter().map(|member| BrokerState {
        broker_id: member.id,
        broker_epoch: member.broker_epoch,
        ..BrokerState::default()
    });
    PartitionData {
        partition_index: index,
        leader_epoch: proposal.leader_epoch,
        new_isr_with_epochs: members.collect(),
        partition_epoch: proposal.partition_epoch,
        ..PartitionData::default()
    }
}

fn outcome(answer: &alter_partition_response::PartitionData) -> AlterOutcome<'_> {
    match ErrorCode::from_code_or_unknown(answer.error_code) {
        ErrorCode::None => AlterOutcome::Noted {
            leader_epoch: answer.leader_epoch,
            partition_epoch: answer.partition_epoch,
            isr: &answer.isr,
        },
        ErrorCode::IneligibleReplica | ErrorCode::OperationNotAttempted => AlterOutcome::Refused,
        _ => AlterOutcome::Unknown,
    }
}
