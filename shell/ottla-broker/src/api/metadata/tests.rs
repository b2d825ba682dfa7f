use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::register_broker_record::BrokerEndpoint;
use ottla_protocol::messages::{
    BrokerRegistrationChangeRecord, PartitionRecord, RegisterBrokerRecord, TopicRecord,
};
use ottla_protocol::{Message, encode_to_bytes};

use super::*;

const ID: Uuid = Uuid::from_u128(77);

/// Broker 1 is up, broker 2 fenced; partition 0 is led by 1, partition 1 by 2.
fn image() -> MetadataImage {
    let mut image = MetadataImage::default();
    let broker = |broker_id, fenced| RegisterBrokerRecord {
        broker_id,
        fenced,
        broker_epoch: 5,
        end_points: vec![BrokerEndpoint {
            name: "PLAINTEXT".into(),
            host: "h".into(),
            port: 9092,
            ..Default::default()
        }],
        ..Default::default()
    };
    let partition = |partition_id, leader| PartitionRecord {
        partition_id,
        topic_id: ID,
        replicas: vec![1, 2],
        isr: vec![leader],
        leader,
        leader_epoch: 3,
        partition_epoch: 4,
        ..Default::default()
    };
    let records: [MetadataRecord; 6] = [
        broker(1, true).into(),
        BrokerRegistrationChangeRecord {
            broker_id: 1,
            broker_epoch: 5,
            fenced: -1,
            ..Default::default()
        }
        .into(),
        broker(2, true).into(),
        TopicRecord { name: "t".into(), topic_id: ID, ..Default::default() }.into(),
        partition(0, 1).into(),
        partition(1, 2).into(),
    ];
    records.iter().for_each(|record| image.apply(record).unwrap());
    image
}

/// Asks through the listener that broker 1 has.
fn asker(image: &MetadataImage) -> Asker<'_> {
    Asker { view: View { image, listener: "PLAINTEXT" }, version: 13 }
}

fn asked(name: Option<&'static str>, topic_id: Uuid) -> MetadataRequestTopic {
    MetadataRequestTopic { name: name.map(Str::from), topic_id, ..Default::default() }
}

#[test]
fn a_partition_says_whether_its_leader_can_be_reached() {
    let topic = look_up(asker(&image()), &asked(Some("t"), Uuid::ZERO), &[]);
    assert_eq!((topic.error_code, topic.topic_id), (0, ID));
    let codes: Vec<i16> = topic.partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [0, ErrorCode::LeaderNotAvailable.code()]);
    let leaders: Vec<i32> = topic.partitions.iter().map(|p| p.leader_id).collect();
    assert_eq!(leaders, [1, -1], "nobody that is not among the nodes of the answer");
    assert_eq!(topic.partitions[0].leader_epoch, 3);
    assert_eq!(topic.partitions[0].offline_replicas, [2]);
    assert_eq!(topic.topic_authorized_operations, i32::MIN);
}

/// As Kafka: a leader that the client's listener does not lead to is nobody for it.
#[test]
fn a_leader_without_the_clients_listener_is_not_there() {
    let image = image();
    let ask = |listener, version| {
        let asker = Asker { view: View { image: &image, listener }, version };
        look_up(asker, &asked(Some("t"), Uuid::ZERO), &[]).partitions.swap_remove(0)
    };
    for (version, error) in [(13, ErrorCode::ListenerNotFound), (5, ErrorCode::LeaderNotAvailable)]
    {
        let partition = ask("OTHER", version);
        assert_eq!((partition.leader_id, partition.error_code), (-1, error.code()));
        assert_eq!(partition.offline_replicas, [1, 2]);
    }
    let oldest = ask("PLAINTEXT", 0);
    assert_eq!(oldest.error_code, ErrorCode::ReplicaNotAvailable.code());
    assert_eq!((oldest.leader_id, oldest.replica_nodes), (1, vec![1]));
}

#[test]
fn a_replica_on_a_lost_disk_is_offline() {
    let mut image = image();
    let lost = BrokerRegistrationChangeRecord {
        broker_id: 1,
        broker_epoch: 5,
        log_dirs: vec![Uuid::from_u128(8)],
        ..Default::default()
    };
    image.apply(&lost.into()).unwrap();
    let there = PartitionRecord {
        partition_id: 2,
        topic_id: ID,
        replicas: vec![1],
        isr: vec![1],
        leader: 1,
        directories: vec![Uuid::from_u128(9)],
        ..Default::default()
    };
    image.apply(&there.into()).unwrap();
    let topic = look_up(asker(&image), &asked(Some("t"), Uuid::ZERO), &[]);
    assert_eq!(topic.partitions[2].offline_replicas, [1]);
}

#[test]
fn a_topic_is_found_by_id_even_with_an_empty_name() {
    let image = image();
    for name in [None, Some("")] {
        let found = look_up(asker(&image), &asked(name, ID), &[]);
        assert_eq!((found.error_code, found.name.as_deref()), (0, Some("t")));
        let missing = look_up(asker(&image), &asked(name, Uuid::ONE), &[]);
        assert_eq!(missing.error_code, ErrorCode::UnknownTopicId.code());
        assert_eq!((missing.name, missing.topic_id), (None, Uuid::ONE));
    }
}

#[test]
fn what_is_missing_says_why() {
    let image = image();
    let code = |name, refusals: &[(Str, Refusal)]| {
        let topic = look_up(asker(&image), &asked(Some(name), Uuid::ZERO), refusals);
        assert_eq!(topic.name.as_deref(), Some(name));
        ErrorCode::from_code(topic.error_code).unwrap()
    };
    assert_eq!(code("x", &[]), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(code("a b", &[]), ErrorCode::InvalidTopicException);
    let refused = |code| [(Str::from("x"), Refusal::bare(code))];
    assert_eq!(
        code("x", &refused(ErrorCode::KafkaStorageError)),
        ErrorCode::LeaderNotAvailable,
        "clients ask again"
    );
    assert_eq!(
        code("x", &refused(ErrorCode::InvalidReplicationFactor)),
        ErrorCode::InvalidReplicationFactor
    );
    let mut image = image.clone();
    let stops = BrokerRegistrationChangeRecord {
        broker_id: 1,
        broker_epoch: 5,
        in_controlled_shutdown: 1,
        ..Default::default()
    };
    image.apply(&stops.into()).unwrap();
    let found = look_up(asker(&image), &asked(Some("t"), Uuid::ZERO), &[]);
    assert_eq!((found.partitions[0].leader_id, found.partitions[0].error_code), (1, 0));
    let refused = refused(ErrorCode::InvalidReplicationFactor);
    let topic = look_up(asker(&image), &asked(Some("x"), Uuid::ZERO), &refused);
    assert_eq!(topic.error_code, ErrorCode::LeaderNotAvailable.code(), "a broker is restarted");
}

#[test]
fn answers_can_be_written_in_every_version() {
    let image = image();
    for version in MetadataResponse::VERSIONS {
        let mut topics = vec![
            look_up(asker(&image), &asked(Some("t"), Uuid::ZERO), &[]),
            look_up(asker(&image), &asked(Some("none"), Uuid::ZERO), &[]),
        ];
        if version >= BY_ID {
            topics.push(look_up(asker(&image), &asked(None, Uuid::ONE), &[]));
        }
        let response = MetadataResponse {
            topics,
            cluster_id: Some("c".into()),
            cluster_authorized_operations: operations::NOT_ASKED,
            ..Default::default()
        };
        encode_to_bytes(&response, version).unwrap();
    }
}

#[test]
fn the_sets_of_operations_are_kafkas() {
    assert_eq!((operations::TOPIC, operations::CLUSTER), (3576, 8096));
}
