//! AssignReplicasToDirs: a broker with several log directories says where its replicas are (KIP-858).

use ottla_protocol::messages::assign_replicas_to_dirs_response::{
    DirectoryData, PartitionData, TopicData,
};
use ottla_protocol::messages::{AssignReplicasToDirsRequest, AssignReplicasToDirsResponse};
use ottla_protocol::{ErrorCode, Uuid};

use super::heartbeat;
use super::leaders::{Leaders, Rules};
use super::partition_change::PartitionChange;
use super::updates::{self, Movement};
use super::{Decision, RECORDS_MAX, Reply, Soft};
use crate::image::{Broker, MetadataImage, PartitionId};
use crate::record::MetadataRecord;

pub(super) fn assign(
    image: &MetadataImage,
    soft: &Soft,
    request: &AssignReplicasToDirsRequest,
) -> Decision {
    let failed = |code: ErrorCode| {
        let error_code = code.code();
        let response = AssignReplicasToDirsResponse { error_code, ..Default::default() };
        Decision::answer(Reply::AssignReplicasToDirs(response))
    };
    if !image.features.has_directories() {
        return failed(ErrorCode::UnsupportedVersion);
    }
    let broker = match heartbeat::registered(image, request.broker_id, request.broker_epoch) {
        Ok(broker) => broker,
        Err(refusal) => return failed(refusal.code),
    };
    let mut records = Vec::new();
    let mut offline = Vec::new();
    let mut directories = Vec::with_capacity(request.directories.len());
    for asked in &request.directories {
        let is_online = broker.has_online_dir(asked.id);
        let mut topics = Vec::with_capacity(asked.topics.len());
        for topic in &asked.topics {
            let answers = topic.partitions.iter().map(|partition| {
                let partition_index = partition.partition_index;
                let id = PartitionId { topic_id: topic.topic_id, partition: partition_index };
                let code = match assign_one(image, soft, broker, id, asked.id, &mut records) {
                    Ok(()) => {
                        offline.extend((!is_online).then_some(id));
                        ErrorCode::None
                    }
                    Err(code) => code,
                };
                PartitionData { partition_index, error_code: code.code(), ..Default::default() }
            });
            let partitions = answers.collect();
            topics.push(TopicData { topic_id: topic.topic_id, partitions, ..Default::default() });
        }
        directories.push(DirectoryData { id: asked.id, topics, ..Default::default() });
    }
    // A replica found in a directory that is gone leads no more. What does not fit is asked again.
    let movement = Movement::leaves(broker.id);
    let _progress =
        updates::of_partitions(image, soft, movement, offline.into_iter(), &mut records);
    let response = AssignReplicasToDirsResponse { directories, ..Default::default() };
    Decision { records, reply: Reply::AssignReplicasToDirs(response) }
}

fn assign_one(
    image: &MetadataImage,
    soft: &Soft,
    broker: &Broker,
    id: PartitionId,
    directory: Uuid,
    records: &mut Vec<MetadataRecord>,
) -> Result<(), ErrorCode> {
    let topic = image.topics.by_id(id.topic_id).ok_or(ErrorCode::UnknownTopicId)?;
    let partition =
        topic.partitions.get(&id.partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    if !partition.replicas.contains(&broker.id) {
        return Err(ErrorCode::NotLeaderOrFollower);
    }
    if records.len() >= RECORDS_MAX {
        return Err(ErrorCode::RequestTimedOut);
    }
    let change = PartitionChange::new(partition, id, Rules::of(image, soft, topic))
        .directory(broker.id, directory)
        .build(&Leaders::of(image));
    records.extend(change.map(MetadataRecord::from));
    Ok(())
}
