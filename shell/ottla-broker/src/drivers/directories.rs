//! Tells the controller in which log directory each replica of this node is, where it believes something
//! else (AssignReplicasToDirs, KIP-858): when a directory fails, that is how it knows what is gone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, Task};
use ottla_protocol::messages::AssignReplicasToDirsRequest;
use ottla_protocol::messages::assign_replicas_to_dirs_request::{
    DirectoryData, PartitionData, TopicData,
};
use ottla_protocol::{ErrorCode, Uuid};

use super::channel::ControllerChannel;
use super::metadata::MetadataDriver;
use crate::partition::office::{Office, PartitionKey};

/// Replicas in one request, as many as Kafka's brokers name.
const ASKED_MAX: usize = 2250;
/// How long an answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// Before the next try, when there was no answer or not all was taken in.
const PAUSE: Duration = Duration::from_secs(1);

/// See the module.
pub(crate) struct DirectoryDriver<E: Env> {
    env: E,
    office: Arc<Office<E>>,
    metadata: Arc<MetadataDriver<E>>,
    channel: Arc<ControllerChannel<E>>,
}

impl<E: Env> DirectoryDriver<E> {
    pub(crate) fn new(
        env: E,
        office: Arc<Office<E>>,
        metadata: Arc<MetadataDriver<E>>,
        channel: Arc<ControllerChannel<E>>,
    ) -> Arc<Self> {
        Arc::new(Self { env, office, metadata, channel })
    }

    /// Runs until it is aborted.
    pub(crate) fn start(self: &Arc<Self>) -> Task {
        self.env.spawn("directories", Arc::clone(self).run())
    }

    async fn run(self: Arc<Self>) {
        let mut images = self.metadata.watch_image();
        loop {
            // Read before it is told: a level that is raised meanwhile is seen below.
            let knows = self.metadata.image().features.has_directories();
            while !self.tell().await {
                self.env.sleep(PAUSE).await;
            }
            let is_raised = images.wait_for(|image| image.features.has_directories() != knows);
            tokio::select! {
                biased;
                () = self.office.misplaced() => {}
                Ok(_image) = is_raised => {}
            }
        }
    }

    /// Says what is to be said; whether all of it is known or void now.
    async fn tell(&self) -> bool {
        // Levels before 3.7 know of no directories: the controller is told once the level is raised.
        if !self.metadata.image().features.has_directories() {
            return true;
        }
        let me = self.office.me();
        // The image may be older than what was said: it cannot tell what is known already.
        let mut misplaced = self.office.take_misplaced();
        if misplaced.is_empty() {
            return true;
        }
        let mut rest = BTreeMap::new();
        if let Some(at) = misplaced.keys().nth(ASKED_MAX).copied() {
            rest = misplaced.split_off(&at);
        }
        let request = request(me.id, me.broker_epoch, &misplaced);
        match self.channel.call(request, ANSWER_MAX).await {
            Ok(answer) if answer.error_code == 0 => {
                let topics = answer.directories.iter().flat_map(|directory| &directory.topics);
                for topic in topics {
                    for one in &topic.partitions {
                        let code = ErrorCode::from_code_or_unknown(one.error_code);
                        // Whatever else it says: the next image tells whether it is still so.
                        if code != ErrorCode::RequestTimedOut {
                            misplaced.remove(&(topic.topic_id, one.partition_index));
                        }
                    }
                }
            }
            Ok(answer) => {
                let error = ErrorCode::from_code_or_unknown(answer.error_code);
                tracing::debug!(%error, "the controller does not take in where replicas are");
            }
            Err(error) => {
                tracing::debug!(%error, "the controller cannot be told where replicas are");
            }
        }
        misplaced.append(&mut rest);
        let is_done = misplaced.is_empty();
        self.office.put_back(misplaced);
        is_done
    }
}

fn request(
    broker_id: i32,
    broker_epoch: i64,
    misplaced: &BTreeMap<PartitionKey, Uuid>,
) -> AssignReplicasToDirsRequest {
    let mut by_directory: BTreeMap<Uuid, BTreeMap<Uuid, Vec<PartitionData>>> = BTreeMap::new();
    for ((topic_id, partition_index), directory) in misplaced {
        let partition =
            PartitionData { partition_index: *partition_index, ..PartitionData::default() };
        let topics = by_directory.entry(*directory).or_default();
        topics.entry(*topic_id).or_default().push(partition);
    }
    let topic = |(topic_id, partitions)| TopicData { topic_id, partitions, ..TopicData::default() };
    let directories = by_directory.into_iter().map(|(id, topics)| DirectoryData {
        id,
        topics: topics.into_iter().map(topic).collect(),
        ..DirectoryData::default()
    });
    AssignReplicasToDirsRequest {
        broker_id,
        broker_epoch,
        directories: directories.collect(),
        ..AssignReplicasToDirsRequest::default()
    }
}
