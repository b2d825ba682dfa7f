//! Goal: the records are Kafka's, byte for byte. Method: bytes written by Apache Kafka 4.3.1.

use bytes::Bytes;
use ottla_coordinator::group::records::{GroupRecord, decode};
use ottla_coordinator::{Command, CoordinatorRecord, RecordError, Reply};
use ottla_protocol::messages::OffsetCommitRequest;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::{Str, Uuid};

use crate::world::{World, settings, sync_request};

fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(pair).collect()
}

/// A console consumer of one group, topic `t1`: what the log held at the end.
const MEMBER: &str = "console-consumer-8f07100c-9836-4e72-89e4-f7b35bc59699";
const SUBSCRIPTION: &str = "0003 00000001 0002 7431 ffffffff 00000000 ffffffff ffff";
const ASSIGNMENT: &str = "0003 00000001 0002 7431 00000002 00000000 00000001 ffffffff";

fn key() -> Bytes {
    hex("0002 0002 6731")
}

fn stable_value() -> Bytes {
    let id: String = MEMBER.bytes().map(|b| format!("{b:02x}")).collect();
    hex(&format!(
        "0003 0008 636f6e73756d6572 00000001 0005 72616e6765 0035 {id} 000001a20495848d 00000001 \
         0035 {id} ffff 0010 636f6e736f6c652d636f6e73756d6572 000a 2f3132372e302e302e31 \
         000493e0 0000afc8 00000018 {SUBSCRIPTION} 0000001a {ASSIGNMENT}"
    ))
}

/// The same client against this machine leaves the same four records.
#[test]
fn a_consumers_life_writes_kafkas_records() {
    let mut world = World::new(settings());
    world.now.wall_ms = 0x0000_01a2_0495_8462;
    let mut request = crate::world::join_request("", None);
    request.group_id = Str::from("g1");
    request.session_timeout_ms = 45_000;
    request.rebalance_timeout_ms = 300_000;
    request.protocols[0].metadata = hex(SUBSCRIPTION);
    let token = world.token();
    let client = ottla_coordinator::Client {
        client_id: Str::from("console-consumer"),
        client_host: Str::from("/127.0.0.1"),
    };
    let join = |token, request| Command::JoinGroup {
        token,
        client: client.clone(),
        version: 9,
        member_suffix: Str::from("8f07100c-9836-4e72-89e4-f7b35bc59699"),
        request,
    };
    world.handle(join(token, request.clone()));
    assert_eq!(world.joined(token).unwrap().member_id, MEMBER);
    world.now.wall_ms = 0x0000_01a2_0495_848d;
    let token = world.token();
    request.member_id = Str::from(MEMBER);
    world.handle(join(token, request));
    assert_eq!(world.joined(token).unwrap().generation_id, 1);
    let mut sync = sync_request(MEMBER, 1, &[(MEMBER, "")]);
    sync.group_id = Str::from("g1");
    sync.assignments[0].assignment = hex(ASSIGNMENT);
    world.sync(sync);
    world.now.wall_ms = 0x0000_01a2_0495_860f;
    let token = world.token();
    world.handle(Command::OffsetCommit { token, version: 10, request: commit_request() });
    assert!(matches!(world.answer(token), Some(Reply::OffsetCommit(_))));

    let expected = [
        (key(), hex("0003 0000 00000000 ffff ffff 000001a204958462 00000000")),
        (key(), stable_value()),
        (
            hex("0001 0002 6731 0002 7431 00000001"),
            hex("0004 0000000000000000 ffffffff 01 000001a20495860f \
                 01 00 10 c026e05bd7b049e58f013a1963162f7e"),
        ),
        (
            hex("0001 0002 6731 0002 7431 00000000"),
            hex("0004 0000000000000003 00000000 01 000001a20495860f \
                 01 00 10 c026e05bd7b049e58f013a1963162f7e"),
        ),
    ];
    let expected = expected.map(|(key, value)| CoordinatorRecord { key, value: Some(value) });
    assert_eq!(world.log, expected);
}

fn commit_request() -> OffsetCommitRequest {
    let partition =
        |partition_index, committed_offset, committed_leader_epoch| OffsetCommitRequestPartition {
            partition_index,
            committed_offset,
            committed_leader_epoch,
            committed_metadata: Some(Str::default()),
            ..Default::default()
        };
    OffsetCommitRequest {
        group_id: Str::from("g1"),
        generation_id_or_member_epoch: 1,
        member_id: Str::from(MEMBER),
        topics: vec![OffsetCommitRequestTopic {
            name: Str::from("t1"),
            topic_id: Uuid(hex("c026e05bd7b049e58f013a1963162f7e")[..].try_into().unwrap()),
            partitions: vec![partition(1, 0, -1), partition(0, 3, 0)],
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// What an emptied group leaves: protocol type and generation stay, everyone is gone.
#[test]
fn an_emptied_group_is_read_as_kafka_wrote_it() {
    let value = hex("0003 0008 636f6e73756d6572 00000002 ffff ffff 000001a204958622 00000000");
    let read = decode(&CoordinatorRecord { key: key(), value: Some(value) }).unwrap();
    let GroupRecord::Group { group, value: Some(metadata) } = read else { panic!("{read:?}") };
    assert_eq!((group.as_str(), metadata.generation), ("g1", 2));
    assert_eq!(metadata.protocol_type.as_deref(), Some("consumer"));
    assert_eq!((metadata.protocol, metadata.members.len()), (None, 0));
}

/// A member record of 20 MB is read like any other.
#[test]
fn a_very_large_group_is_read() {
    let mut world = World::new(settings());
    let mut request = crate::world::join_request("", None);
    request.protocols[0].metadata = Bytes::from(vec![7; 20 << 20]);
    let token = world.join(3, request);
    let member_id = world.joined(token).unwrap().member_id;
    world.sync(sync_request(&member_id, 1, &[]));
    assert!(world.log.last().unwrap().value.as_ref().unwrap().len() > 20 << 20);
    world.restart();
    assert_eq!(world.soft.group("g").unwrap().members().count(), 1);
}

/// What cannot be understood stops the load; it is never passed over.
#[test]
fn unknown_and_torn_records_are_errors() {
    let read = |key: &str, value: Option<&str>| {
        decode(&CoordinatorRecord { key: hex(key), value: value.map(hex) })
    };
    assert_eq!(read("", None), Err(RecordError::NoKey));
    assert_eq!(read("0003 0002 6731", None), Err(RecordError::UnknownType(3)));
    let future = read("0002 0002 6731", Some("0005"));
    assert!(matches!(future, Err(RecordError::UnknownVersion { version: 5, .. })), "{future:?}");
    for (key, value) in [
        ("0002 0005 6731", None),
        ("0002 0002 6731 00", None),
        ("0002 0002 6731", Some("")),
        ("0002 0002 6731", Some("0003 0000 00000000 ffff")),
        ("0001 0002 6731 0002 7431 00000000", Some("0003 7fff")),
    ] {
        let torn = read(key, value);
        assert!(matches!(torn, Err(RecordError::Malformed { .. })), "{key}: {torn:?}");
    }
}

/// Every prefix of a good value is an error, and none is a panic.
#[test]
fn every_cut_of_a_record_is_an_error() {
    let value = stable_value();
    for length in 0..value.len() {
        let record = CoordinatorRecord { key: key(), value: Some(value.slice(..length)) };
        assert!(decode(&record).is_err(), "{length}");
    }
    assert!(decode(&CoordinatorRecord { key: key(), value: Some(value) }).is_ok());
}
