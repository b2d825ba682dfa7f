//! Reassignments (KIP-455): begun, completed by the ISR, taken back, listed.

use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;

use super::*;
use crate::controller::reassignment::{Reassignment, Reverted, completed, reverted};

fn reassign_with(
    world: &mut World,
    topic: &str,
    replicas: Option<&[i32]>,
    allow_factor: bool,
) -> (ErrorCode, Option<String>) {
    let partition = ReassignablePartition {
        partition_index: 0,
        replicas: replicas.map(<[i32]>::to_vec),
        ..Default::default()
    };
    let topic = ReassignableTopic {
        name: Str::copy_from(topic),
        partitions: vec![partition],
        ..Default::default()
    };
    let request = AlterPartitionReassignmentsRequest {
        allow_replication_factor_change: allow_factor,
        topics: vec![topic],
        ..Default::default()
    };
    let Reply::AlterPartitionReassignments(response) =
        world.run(Command::AlterPartitionReassignments(request))
    else {
        panic!()
    };
    let answer = &response.responses[0].partitions[0];
    let message = answer.error_message.as_ref().map(ToString::to_string);
    (ErrorCode::from_code(answer.error_code).unwrap(), message)
}

fn reassign(world: &mut World, replicas: Option<&[i32]>) -> ErrorCode {
    reassign_with(world, "t", replicas, true).0
}

/// A partition, its replicas, those that come and those that go.
type Moving = (i32, Vec<i32>, Vec<i32>, Vec<i32>);

fn listed(world: &mut World, named: Option<&[i32]>) -> Vec<Moving> {
    let topics = named.map(|partitions| {
        vec![ListPartitionReassignmentsTopics {
            name: "t".into(),
            partition_indexes: partitions.to_vec(),
            ..Default::default()
        }]
    });
    let request = ListPartitionReassignmentsRequest { topics, ..Default::default() };
    let Reply::ListPartitionReassignments(response) =
        world.run(Command::ListPartitionReassignments(request))
    else {
        panic!()
    };
    let partitions = response.topics.into_iter().flat_map(|topic| topic.partitions);
    partitions
        .map(|p| {
            (
                p.partition_index,
                p.replicas.to_vec(),
                p.adding_replicas.to_vec(),
                p.removing_replicas.to_vec(),
            )
        })
        .collect()
}

#[test]
fn replicas_come_first_and_leave_last() {
    let mut world = World::cluster(5);
    world.topic_on("t", &[&[0, 1, 2]]);
    assert!(listed(&mut world, None).is_empty());
    assert_eq!(reassign(&mut world, Some(&[3, 4, 2])), ErrorCode::None);
    let moving = [(0, vec![3, 4, 2, 0, 1], vec![3, 4], vec![0, 1])];
    assert_eq!(listed(&mut world, None), moving);
    assert_eq!(listed(&mut world, Some(&[0, 7])), moving);
    assert!(listed(&mut world, Some(&[7])).is_empty());
    assert_eq!(world.led("t"), (0, vec![0, 1, 2], 0), "nothing else changes yet");
    assert_eq!(world.partition("t", 0).directories.len(), 5);
    // One of the two is in sync: not yet.
    assert_eq!(world.alter_isr("t", &[0, 1, 2, 3]), ErrorCode::None);
    assert_eq!(world.partition("t", 0).replicas.len(), 5);
    // The last one: the leader is one of those who leave, and is told so.
    assert_eq!(world.alter_isr("t", &[0, 1, 2, 3, 4]), ErrorCode::NewLeaderElected);
    let partition = world.partition("t", 0);
    assert_eq!(partition.replicas.to_vec(), [3, 4, 2]);
    assert_eq!((partition.leader, partition.leader_epoch), (3, 1));
    assert_eq!(partition.isr.to_vec(), [2, 3, 4]);
    assert!(!partition.is_reassigning());
    assert!(listed(&mut world, None).is_empty());
}

#[test]
fn a_reassignment_that_brings_nobody_completes_at_once() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    assert_eq!(reassign(&mut world, Some(&[2, 0, 1])), ErrorCode::None);
    let partition = world.partition("t", 0);
    assert_eq!(
        (partition.replicas.to_vec(), partition.leader, partition.leader_epoch),
        (vec![2, 0, 1], 0, 0)
    );
    // Who leaves must notice: a leader epoch begins.
    assert_eq!(reassign(&mut world, Some(&[0, 1])), ErrorCode::None);
    let partition = world.partition("t", 0);
    assert_eq!((partition.replicas.to_vec(), partition.isr.to_vec()), (vec![0, 1], vec![0, 1]));
    assert_eq!((partition.leader, partition.leader_epoch), (0, 1));
}

#[test]
fn a_reassignment_is_taken_back() {
    let mut world = World::cluster(4);
    world.topic_on("t", &[&[0, 1]]);
    assert_eq!(reassign(&mut world, None), ErrorCode::NoReassignmentInProgress);
    assert_eq!(reassign(&mut world, Some(&[2, 3])), ErrorCode::None);
    assert_eq!(world.alter_isr("t", &[0, 1, 2]), ErrorCode::None);
    assert_eq!(reassign(&mut world, None), ErrorCode::None);
    let partition = world.partition("t", 0);
    assert_eq!((partition.replicas.to_vec(), partition.isr.to_vec()), (vec![0, 1], vec![0, 1]));
    assert!(!partition.is_reassigning());
    assert_eq!((partition.leader, partition.leader_epoch), (0, 1));
    assert_eq!(partition.directories.len(), 2);
}

#[test]
fn a_reassignment_is_not_taken_back_over_lost_records() {
    let mut world = World::cluster(4);
    world.topic_on("t", &[&[0, 1]]);
    reassign(&mut world, Some(&[2, 3]));
    world.alter_isr("t", &[0, 1, 2]);
    world.lose(&[0, 1]);
    assert_eq!(world.led("t").1, [2]);
    let (code, message) = reassign_with(&mut world, "t", None, true);
    assert_eq!(code, ErrorCode::InvalidReplicaAssignment);
    assert_eq!(
        message.unwrap(),
        "Unable to revert partition assignment for t:0 because it would require an unclean leader \
         election."
    );
}

#[test]
fn what_cannot_be_is_refused() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1]]);
    let code = |outcome: (ErrorCode, Option<String>)| outcome.0;
    assert_eq!(
        reassign_with(&mut world, "no", Some(&[0]), true),
        (ErrorCode::UnknownTopicOrPartition, Some("Unable to find a topic named no.".into()))
    );
    let invalid = ErrorCode::InvalidReplicaAssignment;
    assert_eq!(code(reassign_with(&mut world, "t", Some(&[]), true)), invalid);
    assert_eq!(code(reassign_with(&mut world, "t", Some(&[0, 0]), true)), invalid);
    assert_eq!(code(reassign_with(&mut world, "t", Some(&[0, 9]), true)), invalid);
    // KIP-860.
    assert_eq!(
        reassign_with(&mut world, "t", Some(&[0, 1, 2]), false),
        (
            ErrorCode::InvalidReplicationFactor,
            Some("The replication factor is changed from 2 to 3".into())
        )
    );
    assert_eq!(code(reassign_with(&mut world, "t", Some(&[2, 1]), false)), ErrorCode::None);
    assert_eq!(code(reassign_with(&mut world, "t", Some(&[2, 0]), false)), ErrorCode::None);
}

/// Kafka's `PartitionReassignmentReplicas` and `PartitionReassignmentRevert`.
#[test]
fn lists_of_replicas() {
    assert_eq!(
        Reassignment::new(&[1, 2, 3], &[5, 3, 4]),
        Reassignment { replicas: vec![5, 3, 4, 1, 2], removing: vec![1, 2], adding: vec![4, 5] }
    );
    assert_eq!(completed(&[1, 2], &[], &[], &[1, 2]), None, "none is under way");
    assert_eq!(completed(&[3, 1, 2], &[1, 2], &[3], &[1, 2]), None, "nobody who stays");
    assert_eq!(completed(&[3, 4, 1], &[1], &[3, 4], &[1, 3]), None, "4 is missing");
    assert_eq!(completed(&[3, 1, 2], &[2], &[3], &[2, 3]), None, "1 is missing");
    assert_eq!(completed(&[3, 1], &[1], &[3], &[1, 3]), Some((vec![3], vec![3])));
    assert_eq!(completed(&[3, 1], &[], &[3], &[1, 3]), Some((vec![3, 1], vec![1, 3])));
    assert_eq!(
        reverted(&[3, 1, 2], &[3], &[1, 3]),
        Reverted { replicas: vec![1, 2], isr: vec![1], is_unclean: false }
    );
    assert_eq!(
        reverted(&[3, 1, 2], &[3], &[3]),
        Reverted { replicas: vec![1, 2], isr: vec![], is_unclean: true }
    );
    assert_eq!(
        reverted(&[3, 1, 2], &[3], &[]),
        Reverted { replicas: vec![1, 2], isr: vec![], is_unclean: false }
    );
}
