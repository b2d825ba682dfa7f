//! Groups from outside: the first group of a cluster, a rebalance, a restart, a silent member.

use std::time::Duration;

use bytes::Bytes;
use ottla_env::Env;
use ottla_env::sim::SimEnv;
use ottla_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use ottla_protocol::messages::delete_topics_request::DeleteTopicState;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    AlterReplicaLogDirsRequest, DeleteTopicsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, ListGroupsRequest, OffsetCommitRequest, OffsetFetchRequest,
    SyncGroupRequest, leave_group_request,
};
use ottla_protocol::{ErrorCode, Str};

use crate::world::{Client, Node, Place, on_sim};

const GROUP: &str = "readers";
const SESSION_MS: i32 = 6_000;

async fn find<E: Env>(node: &Node<E>, version: i16) -> (i16, String, i32) {
    let key = Str::from(GROUP);
    let request = if version < 4 {
        FindCoordinatorRequest { key, ..Default::default() }
    } else {
        FindCoordinatorRequest { coordinator_keys: vec![key], ..Default::default() }
    };
    let response = node.connect().await.call(version, &request).await;
    match response.coordinators.first() {
        Some(found) => (found.error_code, found.host.to_string(), found.port),
        None => (response.error_code, response.host.to_string(), response.port),
    }
}

fn join_request(member_id: &str, instance: Option<&'static str>) -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: Str::from(GROUP),
        session_timeout_ms: SESSION_MS,
        rebalance_timeout_ms: 30_000,
        member_id: Str::copy_from(member_id),
        group_instance_id: instance.map(Str::from),
        protocol_type: Str::from("consumer"),
        protocols: vec![JoinGroupRequestProtocol {
            name: Str::from("range"),
            metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\0\0\0\0"),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn sync_request(joined: &JoinGroupResponse, shares: &[(&Str, &'static str)]) -> SyncGroupRequest {
    let assignments = shares.iter().map(|(member_id, share)| SyncGroupRequestAssignment {
        member_id: (*member_id).clone(),
        assignment: Bytes::from_static(share.as_bytes()),
        ..Default::default()
    });
    SyncGroupRequest {
        group_id: Str::from(GROUP),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        protocol_type: Some(Str::from("consumer")),
        protocol_name: Some(Str::from("range")),
        assignments: assignments.collect(),
        ..Default::default()
    }
}

async fn heartbeat<E: Env>(client: &mut Client<E>, joined: &JoinGroupResponse) -> ErrorCode {
    let request = HeartbeatRequest {
        group_id: Str::from(GROUP),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        ..Default::default()
    };
    ErrorCode::from_code(client.call(4, &request).await.error_code).unwrap()
}

async fn commit<E: Env>(
    client: &mut Client<E>,
    joined: Option<&JoinGroupResponse>,
    offset: i64,
) -> ErrorCode {
    let request = OffsetCommitRequest {
        group_id: Str::from(GROUP),
        generation_id_or_member_epoch: joined.map_or(-1, |joined| joined.generation_id),
        member_id: joined.map(|joined| joined.member_id.clone()).unwrap_or_default(),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from("t"),
            partitions: vec![OffsetCommitRequestPartition {
                committed_offset: offset,
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    let response = client.call(8, &request).await;
    ErrorCode::from_code(response.topics[0].partitions[0].error_code).unwrap()
}

/// Every committed offset of the group.
async fn committed<E: Env>(client: &mut Client<E>) -> Vec<(String, i64)> {
    let request =
        OffsetFetchRequest { group_id: Str::from(GROUP), topics: None, ..Default::default() };
    let response = client.call(7, &request).await;
    assert_eq!(response.error_code, 0);
    let topics = response.topics.iter();
    topics.map(|t| (t.name.to_string(), t.partitions[0].committed_offset)).collect()
}

/// A member alone in its group, with its share.
async fn lone_member<E: Env>(client: &mut Client<E>) -> JoinGroupResponse {
    let joined = client.call(3, &join_request("", None)).await;
    assert_eq!((joined.error_code, joined.leader.clone()), (0, joined.member_id.clone()));
    let synced = client.call(5, &sync_request(&joined, &[(&joined.member_id, "all")])).await;
    assert_eq!(&synced.assignment[..], b"all");
    joined
}

/// No error on the way to the first group of a cluster, and what was answered outlives a restart.
async fn first_group<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    for version in 0..=6 {
        let found = find(&node, version).await;
        let here = (0, node.address.ip().to_string(), i32::from(node.address.port()));
        assert_eq!(found, here, "v{version}");
    }
    let mut client = node.connect().await;
    let joined = lone_member(&mut client).await;
    assert_eq!(commit(&mut client, Some(&joined), 42).await, ErrorCode::None);
    assert_eq!(commit(&mut client, None, 43).await, ErrorCode::UnknownMemberId);
    let expected = [("t".to_owned(), 42)];
    assert_eq!(committed(&mut client).await, expected);
    node.broker.shutdown().await;

    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    assert_eq!(heartbeat(&mut client, &joined).await, ErrorCode::None);
    let synced = client.call(5, &sync_request(&joined, &[])).await;
    assert_eq!(&synced.assignment[..], b"all");
    assert_eq!(committed(&mut client).await, expected);
    let listed = client.call(4, &ListGroupsRequest::default()).await;
    assert_eq!(listed.groups.len(), 1);
    assert_eq!(listed.groups[0].group_state, "Stable");
    node.broker.shutdown().await;
}

#[test]
fn the_first_group_of_a_cluster() {
    everywhere!(first_group);
}

/// Whoever comes waits for those who are there; whoever leaves is answered at once.
async fn rebalance<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    find(&node, 3).await;
    let (mut one, mut two) = (node.connect().await, node.connect().await);
    let first = lone_member(&mut one).await;
    let asked = two.post(5, &join_request("", Some("two"))).await;
    while heartbeat(&mut one, &first).await != ErrorCode::RebalanceInProgress {
        // The other connection's request has not been read yet.
        node.env.sleep(Duration::from_millis(1)).await;
    }
    let first = one.call(3, &join_request(&first.member_id, None)).await;
    let second = two.answer::<JoinGroupRequest>(5, asked).await;
    assert_eq!((first.generation_id, second.generation_id), (2, 2));
    let asked = two.post(5, &sync_request(&second, &[])).await;
    let shares = [(&first.member_id, "left"), (&second.member_id, "right")];
    let synced = one.call(5, &sync_request(&first, &shares)).await;
    assert_eq!(&synced.assignment[..], b"left");
    let synced = two.answer::<SyncGroupRequest>(5, asked).await;
    assert_eq!(&synced.assignment[..], b"right");
    let described = DescribeGroupsRequest { groups: vec![Str::from(GROUP)], ..Default::default() };
    let described = one.call(6, &described).await;
    assert_eq!((described.groups[0].members.len(), described.groups[0].error_code), (2, 0));
    let identity = leave_group_request::MemberIdentity {
        group_instance_id: Some(Str::from("two")),
        ..Default::default()
    };
    let leave = LeaveGroupRequest {
        group_id: Str::from(GROUP),
        members: vec![identity],
        ..Default::default()
    };
    assert_eq!(one.call(5, &leave).await.members[0].error_code, 0);
    assert_eq!(heartbeat(&mut one, &first).await, ErrorCode::RebalanceInProgress);
    node.broker.shutdown().await;
}

#[test]
fn a_rebalance_brings_members_together() {
    everywhere!(rebalance);
}

/// A node that stops does not wait for a rebalance.
async fn stop_sends_away<E: Env>(place: Place<E>) {
    let node = place.start(&[("group.initial.rebalance.delay.ms", "20000")]).await;
    find(&node, 3).await;
    let mut client = node.connect().await;
    let asked = client.post(3, &join_request("", None)).await;
    let list = ListGroupsRequest::default();
    while node.connect().await.call(4, &list).await.groups.is_empty() {
        node.env.sleep(Duration::from_millis(1)).await;
    }
    let before = node.env.now();
    let env = node.env.clone();
    let answer = client.answer::<JoinGroupRequest>(3, asked);
    let (answer, ()) = tokio::join!(answer, node.broker.shutdown());
    assert_eq!(ErrorCode::from_code(answer.error_code), Some(ErrorCode::NotCoordinator));
    assert!(env.now() - before < Duration::from_secs(10));
}

#[test]
fn a_parked_join_is_sent_away_when_the_node_stops() {
    everywhere!(stop_sends_away);
}

/// Sessions end by the clock, in the middle of anything and after a restart.
async fn silent_member(place: Place<SimEnv>) {
    let node = place.start(&[]).await;
    find(&node, 3).await;
    let mut client = node.connect().await;
    let joined = lone_member(&mut client).await;
    node.env.sleep(Duration::from_millis(5_900)).await;
    assert_eq!(heartbeat(&mut client, &joined).await, ErrorCode::None);
    node.broker.shutdown().await;
    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    node.env.sleep(Duration::from_millis(5_900)).await;
    assert_eq!(heartbeat(&mut client, &joined).await, ErrorCode::None);
    node.env.sleep(Duration::from_millis(6_100)).await;
    assert_eq!(heartbeat(&mut client, &joined).await, ErrorCode::UnknownMemberId);
    let listed = client.call(4, &ListGroupsRequest::default()).await;
    assert_eq!(listed.groups[0].group_state, "Empty");
    node.broker.shutdown().await;
}

#[test]
fn a_silent_member_is_lost() {
    on_sim(silent_member);
}

/// Offsets go with their topic, and its successor starts without.
async fn deleted_topic<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    node.create_topic("t", &[]).await;
    find(&node, 3).await;
    let mut client = node.connect().await;
    assert_eq!(commit(&mut client, None, 7).await, ErrorCode::None);
    let topic = DeleteTopicState { name: Some(Str::from("t")), ..Default::default() };
    let delete =
        DeleteTopicsRequest { topics: vec![topic], timeout_ms: 5_000, ..Default::default() };
    assert_eq!(client.call(6, &delete).await.responses[0].error_code, 0);
    assert_eq!(commit(&mut client, None, 8).await, ErrorCode::UnknownTopicOrPartition);
    node.create_topic("t", &[]).await;
    let deadline = node.env.now() + Duration::from_secs(20);
    while !committed(&mut client).await.is_empty() {
        assert!(node.env.now() < deadline, "the offset outlives its topic");
        node.env.sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(commit(&mut client, None, 1).await, ErrorCode::None);
    node.env.sleep(Duration::from_secs(2)).await;
    assert_eq!(committed(&mut client).await, [("t".to_owned(), 1)]);
    node.broker.shutdown().await;
}

#[test]
fn offsets_go_with_their_topic() {
    on_sim(deleted_topic::<SimEnv>);
}

/// Has every partition of the offsets topic in one directory, and waits until that is so.
async fn move_offsets(node: &Node<SimEnv>, client: &mut Client<SimEnv>, path: &str) {
    let name = Str::from("__consumer_offsets");
    let topic = AlterReplicaLogDirTopic {
        name: name.clone(),
        partitions: (0..50).collect(),
        ..Default::default()
    };
    let dir = AlterReplicaLogDir {
        path: Str::copy_from(path),
        topics: vec![topic],
        ..Default::default()
    };
    let request = AlterReplicaLogDirsRequest { dirs: vec![dir], ..Default::default() };
    let response = client.call(2, &request).await;
    assert!(response.results[0].partitions.iter().all(|one| one.error_code == 0), "{response:?}");
    let deadline = node.env.now() + Duration::from_secs(60);
    loop {
        let all = DescribeLogDirsRequest { topics: None, ..Default::default() };
        let found = client.call(4, &all).await;
        let there = found.results.iter().find(|result| &*result.log_dir == path).unwrap();
        let there = there.topics.iter().find(|topic| topic.name == name);
        let partitions = there.map_or(&[][..], |topic| &topic.partitions);
        if partitions.iter().filter(|one| !one.is_future_key).count() == 50 {
            return;
        }
        assert!(node.env.now() < deadline, "{there:?}");
        node.env.sleep(Duration::from_millis(100)).await;
    }
}

/// Goal: a group goes on in the directory that the log of its offsets is moved to: its member keeps its place, and what
/// it committed is there.
async fn moved_offsets(place: Place<SimEnv>) {
    let node = Place { folder: "/a,/b".into(), ..place }.start(&[]).await;
    node.create_topic("t", &[]).await;
    assert_eq!(find(&node, 6).await.0, 0);
    let mut client = node.connect().await;
    let joined = lone_member(&mut client).await;
    assert_eq!(commit(&mut client, Some(&joined), 1).await, ErrorCode::None);
    for (path, offset) in [("/a", 2), ("/b", 3), ("/a", 4)] {
        move_offsets(&node, &mut client, path).await;
        let deadline = node.env.now() + Duration::from_secs(10);
        loop {
            match heartbeat(&mut client, &joined).await {
                ErrorCode::None => break,
                ErrorCode::NotCoordinator | ErrorCode::CoordinatorLoadInProgress => {}
                other => panic!("{other}"),
            }
            assert!(node.env.now() < deadline, "nobody serves the group");
            node.env.sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(committed(&mut client).await, [("t".to_owned(), offset - 1)]);
        assert_eq!(commit(&mut client, Some(&joined), offset).await, ErrorCode::None);
        assert_eq!(committed(&mut client).await, [("t".to_owned(), offset)]);
    }
}

#[test]
fn a_group_goes_on_in_another_directory() {
    on_sim(moved_offsets);
}
