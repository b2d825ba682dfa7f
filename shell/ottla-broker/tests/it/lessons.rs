//! Ways in which other brokers have lost what they keep, one test each. The numbers are those of the
//! project's list of such ways.

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use ottla_protocol::messages::{
    DescribeGroupsRequest, FindCoordinatorRequest, JoinGroupRequest, SyncGroupRequest,
};
use ottla_protocol::{ErrorCode, Str};

use crate::world::{Client, Place, on_os};

const GROUP: &str = "large";

/// What a member says of itself: 20 MB, more than is read at a time when a coordinator loads.
fn subscription() -> Bytes {
    Bytes::from(vec![7; 20 << 20])
}

async fn find<E: Env>(client: &mut Client<E>) {
    let request =
        FindCoordinatorRequest { coordinator_keys: vec![Str::from(GROUP)], ..Default::default() };
    let found = client.call(4, &request).await;
    assert_eq!(found.coordinators[0].error_code, 0);
}

async fn member<E: Env>(client: &mut Client<E>) -> Str {
    let protocol = JoinGroupRequestProtocol {
        name: Str::from("range"),
        metadata: subscription(),
        ..Default::default()
    };
    let join = JoinGroupRequest {
        group_id: Str::from(GROUP),
        session_timeout_ms: 60_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: Str::from("consumer"),
        protocols: vec![protocol],
        ..Default::default()
    };
    let joined = client.call(3, &join).await;
    assert_eq!(joined.error_code, 0);
    let share = SyncGroupRequestAssignment {
        member_id: joined.member_id.clone(),
        assignment: Bytes::from_static(b"share"),
        ..Default::default()
    };
    let sync = SyncGroupRequest {
        group_id: Str::from(GROUP),
        generation_id: joined.generation_id,
        member_id: joined.member_id.clone(),
        assignments: vec![share],
        ..Default::default()
    };
    assert_eq!(client.call(3, &sync).await.error_code, 0);
    joined.member_id
}

/// Row 23: loading a coordinator stopped for ever at a record larger than its buffer (KAFKA-7286).
async fn large_record<E: Env>(place: Place<E>) {
    let settings = [("message.max.bytes", "33554432"), ("socket.request.max.bytes", "67108864")];
    let node = place.start(&settings).await;
    let mut client = node.connect().await;
    find(&mut client).await;
    let member_id = member(&mut client).await;
    node.broker.shutdown().await;

    let node = place.start(&settings).await;
    let mut client = node.connect().await;
    find(&mut client).await;
    let request = DescribeGroupsRequest { groups: vec![Str::from(GROUP)], ..Default::default() };
    let described = client.call(5, &request).await;
    let group = &described.groups[0];
    assert_eq!(ErrorCode::from_code(group.error_code), Some(ErrorCode::None));
    assert_eq!(group.members[0].member_id, member_id);
    assert_eq!(group.members[0].member_metadata.len(), subscription().len());
    node.broker.shutdown().await;
}

#[test]
fn row_23_a_record_larger_than_the_buffer_is_loaded() {
    on_os(large_record);
}
