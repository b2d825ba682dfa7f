use super::{Kind, OPEN, Range, Type, parse, snake};

const SAMPLE: &str = "request FooRequest key 9 versions 1-4 kafka 2-4 flexible 3+ unstable broker
  Name string 0+ null 2+ = null ignorable entity topicName
  Gone int32 0 # no valid version has it
  Items []Item 1-3
    Id uuid 1+ mapkey
    Shared []Common 2+
  Late int64 4+ tag 5 4+ = -1
struct Common 2+
  Value float64 2+
";

#[test]
fn a_schema_is_read() {
    let message = parse(SAMPLE).expect("a schema");
    assert_eq!((message.kind, message.key), (Kind::Request, Some(9)));
    assert_eq!((message.versions, message.kafka_versions), (Range(1, 4), Range(2, 4)));
    assert_eq!(message.flexible, Some(3));
    assert!(message.unstable && message.broker && !message.controller);
    let names: Vec<&str> = message.structs.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["FooRequest", "Item", "Common"]);
    let [name, items, late] = &message.structs[0].fields[..] else {
        panic!("three fields: {:?}", message.structs[0].fields)
    };
    assert_eq!((name.nullable, name.default.as_deref()), (Some(Range(2, 4)), Some("null")));
    assert!(name.ignorable && !late.ignorable);
    assert_eq!(items.type_, Type::Array(Box::new(Type::Struct("Item".into()))));
    assert_eq!((late.tag, late.versions), (Some(5), Range(4, 4)));
    assert_eq!(message.structs[1].fields.len(), 2);
}

#[test]
fn what_is_not_a_schema_is_refused() {
    for bad in [
        "",
        "request",
        "request Foo versions x flexible none",
        "request Foo versions 0 flexible none\n  Field",
        "request Foo versions 0 flexible none\n  Field int32 0+ what",
        "request Foo versions 0 flexible none\n  Field int32 0+\n    Inner int32 0+",
        "request Foo versions 0-3 flexible 0+\n  Field int32 0+ tag 1 2+",
        "request Foo versions 0 flexible none\nField int32 0+",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn names_in_rust() {
    for (kafka, rust) in [
        ("TopicIdPartition", "topic_id_partition"),
        ("HTTPPort", "http_port"),
        ("ResultsByTopicV3AndBelow", "results_by_topic_v3_and_below"),
        ("KRaftVersion", "k_raft_version"),
        ("group", "group"),
    ] {
        assert_eq!(snake(kafka), rust);
    }
    assert!(Range(2, OPEN).contains(7));
}
