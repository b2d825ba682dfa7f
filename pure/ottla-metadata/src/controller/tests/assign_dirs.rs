//! AssignReplicasToDirs: what is answered for what a broker may not assign, and what it changes.

use ottla_protocol::messages::assign_replicas_to_dirs_request::{
    DirectoryData, PartitionData, TopicData,
};

use super::*;

fn directory(id: Uuid, topic_id: Uuid, index: i32) -> DirectoryData {
    let partition = PartitionData { partition_index: index, ..Default::default() };
    let topic = TopicData { topic_id, partitions: vec![partition], ..Default::default() };
    DirectoryData { id, topics: vec![topic], ..Default::default() }
}

fn send(world: &mut World, request: AssignReplicasToDirsRequest) -> AssignReplicasToDirsResponse {
    match world.run(Command::AssignReplicasToDirs(request)) {
        Reply::AssignReplicasToDirs(response) => response,
        other => panic!("{other:?}"),
    }
}

/// A broker assigns partitions of one topic; all of that succeeds.
pub(super) fn assign(world: &mut World, broker: i32, topic: &str, wanted: &[(i32, Uuid)]) {
    let topic_id = world.image().topics.id_of(topic).unwrap();
    let request = AssignReplicasToDirsRequest {
        broker_id: broker,
        broker_epoch: world.epoch_of(broker),
        directories: wanted.iter().map(|(i, dir)| directory(*dir, topic_id, *i)).collect(),
        ..Default::default()
    };
    let response = send(world, request);
    assert_eq!(response.error_code, 0);
    for directory in &response.directories {
        assert_eq!(directory.topics[0].partitions[0].error_code, 0);
    }
}

/// Kafka's `handleAssignReplicasToDirs`.
#[test]
fn what_is_not_there_is_refused() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[1]]);
    let topic_id = world.id("t", 0).topic_id;
    let dir = Uuid::from_u128(500);
    let mut request = AssignReplicasToDirsRequest {
        broker_id: 0,
        broker_epoch: world.epoch_of(0),
        directories: vec![
            directory(dir, Uuid::from_u128(9), 0),
            directory(dir, topic_id, 7),
            directory(dir, topic_id, 0),
        ],
        ..Default::default()
    };
    let response = send(&mut world, request.clone());
    let codes: Vec<i16> =
        response.directories.iter().map(|d| d.topics[0].partitions[0].error_code).collect();
    let expected = [
        ErrorCode::UnknownTopicId,
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::NotLeaderOrFollower,
    ];
    assert_eq!(codes, expected.map(ErrorCode::code));
    request.broker_epoch -= 1;
    assert_eq!(send(&mut world, request).error_code, ErrorCode::StaleBrokerEpoch.code());
}

#[test]
fn a_replica_in_a_directory_that_is_gone_leads_no_more() {
    let mut world = World::cluster(2);
    world.topic_on("t", &[&[1, 0]]);
    assign(&mut world, 1, "t", &[(0, Uuid::from_u128(999))]);
    let partition = world.partition("t", 0);
    assert_eq!((partition.leader, partition.isr.to_vec()), (0, vec![0]));
    assert_eq!(partition.directories[0], Uuid::from_u128(999));
}
