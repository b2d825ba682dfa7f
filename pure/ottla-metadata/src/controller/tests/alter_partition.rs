//! AlterPartition: each way it is refused, in the order of Kafka's
//! `ReplicationControlManager.validateAlterPartitionData`, and what it brings about.

use super::*;

type Change = fn(&mut AlterPartitionRequest);

fn first(
    request: &mut AlterPartitionRequest,
) -> &mut ottla_protocol::messages::alter_partition_request::PartitionData {
    &mut request.topics[0].partitions[0]
}

#[test]
fn each_refusal() {
    let rows: [(&str, Change, ErrorCode); 14] = [
        ("stale broker", |r| r.broker_epoch -= 1, ErrorCode::StaleBrokerEpoch),
        ("topic", |r| r.topics[0].topic_id = Uuid::from_u128(8), ErrorCode::UnknownTopicId),
        ("no topic", |r| r.topics[0].topic_id = Uuid::ZERO, ErrorCode::UnknownTopicId),
        ("partition", |r| first(r).partition_index = 9, ErrorCode::UnknownTopicOrPartition),
        ("later leader epoch", |r| first(r).leader_epoch += 1, ErrorCode::NotController),
        ("later partition epoch", |r| first(r).partition_epoch += 1, ErrorCode::NotController),
        ("old leader epoch", |r| first(r).leader_epoch -= 1, ErrorCode::FencedLeaderEpoch),
        ("old partition epoch", |r| first(r).partition_epoch -= 1, ErrorCode::InvalidUpdateVersion),
        ("nobody", |r| first(r).new_isr_with_epochs.clear(), ErrorCode::InvalidRequest),
        ("stranger", |r| first(r).new_isr_with_epochs[1].broker_id = 3, ErrorCode::InvalidRequest),
        ("twice", |r| first(r).new_isr_with_epochs[1].broker_id = 0, ErrorCode::InvalidRequest),
        ("not itself", |r| drop(first(r).new_isr_with_epochs.remove(0)), ErrorCode::InvalidRequest),
        ("recovering", |r| first(r).leader_recovery_state = 1, ErrorCode::InvalidRequest),
        ("state", |r| first(r).leader_recovery_state = 7, ErrorCode::InvalidRequest),
    ];
    for (row, change, expected) in rows {
        let mut world = World::cluster(4);
        world.topic_on("t", &[&[0, 1, 2]]);
        assert_eq!(world.alter_isr("t", &[0, 1]), ErrorCode::None);
        let length = world.log.len();
        let mut request = world.alter_request("t", 0, &[0, 1, 2]);
        change(&mut request);
        assert_eq!(world.alter(request, 3), expected, "{row}");
        assert_eq!(world.log.len(), length, "{row}");
    }
}

#[test]
fn only_the_leader_may() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    let mut request = world.alter_request("t", 0, &[1, 2]);
    (request.broker_id, request.broker_epoch) = (1, world.epoch_of(1));
    assert_eq!(world.alter(request, 3), ErrorCode::InvalidRequest);
}

/// KIP-841 and KIP-903: fenced, stopping, and brokers of another life.
#[test]
fn who_is_not_up_does_not_come_in() {
    let mut world = World::cluster(4);
    world.topic_on("t", &[&[0, 1, 2, 3]]);
    assert_eq!(world.alter_isr("t", &[0]), ErrorCode::None);
    let old_life = world.alter_request("t", 0, &[0, 1]);
    world.lose(&[1]);
    assert_eq!(world.alter_isr("t", &[0, 1]), ErrorCode::IneligibleReplica, "fenced");
    world.topic_on("led", &[&[2, 0]]);
    world.want_shutdown(2);
    assert_eq!(world.alter_isr("t", &[0, 2]), ErrorCode::IneligibleReplica, "stopping");
    world.join(1, 1);
    assert_eq!(world.alter(old_life, 3), ErrorCode::IneligibleReplica, "former life");
    assert_eq!(world.alter_isr("t", &[0, 1]), ErrorCode::None);
    // A leader that does not know the epoch says -1, and version 2 says nothing.
    let mut request = world.alter_request("t", 0, &[0, 1, 3]);
    first(&mut request).new_isr_with_epochs[2].broker_epoch = -1;
    assert_eq!(world.alter(request, 3), ErrorCode::None);
    let mut request = world.alter_request("t", 0, &[]);
    first(&mut request).new_isr = vec![0, 3];
    assert_eq!(world.alter(request, 2), ErrorCode::None);
    assert_eq!(world.led("t").1, [0, 3]);
}

#[test]
fn the_answer_is_what_the_partition_became() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    let request = world.alter_request("t", 0, &[0, 2]);
    let Reply::AlterPartition(response) =
        world.run(Command::AlterPartition { request, version: 3 })
    else {
        panic!()
    };
    let answer = &response.topics[0].partitions[0];
    assert_eq!((answer.leader_id, answer.leader_epoch, answer.partition_epoch), (0, 0, 1));
    assert_eq!(answer.isr, [0, 2]);
    // Asked again with what it is: an answer, and no record.
    let length = world.log.len();
    assert_eq!(world.alter_isr("t", &[0, 2]), ErrorCode::None);
    assert_eq!(world.log.len(), length);
}

/// Before 3.6-IV0 a shrunk ISR began a leader epoch (KAFKA-15021).
#[test]
fn a_smaller_isr_begins_no_leader_epoch() {
    let mut world = World::cluster(3);
    world.topic_on("t", &[&[0, 1, 2]]);
    world.alter_isr("t", &[0]);
    assert_eq!(world.led("t"), (0, vec![0], 0));
    world.alter_isr("t", &[0, 1]);
    world.replay(&super::cluster::feature_level("metadata.version", 11));
    world.alter_isr("t", &[0]);
    assert_eq!(world.led("t"), (0, vec![0], 1));
    world.alter_isr("t", &[0, 1]);
    assert_eq!(world.led("t"), (0, vec![0, 1], 1));
}
