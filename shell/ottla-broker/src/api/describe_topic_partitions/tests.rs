use std::sync::Arc;

use ottla_config::BrokerConfig;
use ottla_metadata::controller::{Command, Controller, NewTopic, Soft};
use ottla_metadata::image::MetadataImage;
use ottla_protocol::Uuid;
use ottla_protocol::messages::BrokerRegistrationRequest;
use ottla_protocol::messages::broker_registration_request::Feature;
use ottla_protocol::messages::describe_topic_partitions_request::{Cursor, TopicRequest};
use proptest::prelude::*;

use super::*;

fn image(topics: &[(String, i32)]) -> MetadataImage {
    let mut controller = Controller::default();
    let mut soft = Soft::new(0, Arc::new(BrokerConfig::defaults()), [1, 2, 3, 4]);
    let version = Feature { name: "metadata.version".into(), ..Default::default() };
    let request = BrokerRegistrationRequest {
        broker_id: 0,
        incarnation_id: Uuid::ONE,
        features: vec![version],
        ..Default::default()
    };
    let register = Command::RegisterBroker { request, version: 4, unfence: true };
    let topics = topics.iter().map(|(name, num_partitions)| NewTopic {
        num_partitions: *num_partitions,
        ..NewTopic::auto(Str::from(name))
    });
    let commands = [register, Command::EnsureTopics(topics.collect())];
    for command in commands {
        for record in controller.handle(&mut soft, 0, command).records {
            controller.replay(&record).unwrap();
        }
    }
    controller.image().clone()
}

type Row = (String, i16, Vec<i32>);

/// All pages, one after the other, with the parts of a topic put together again.
fn all_pages(image: &MetadataImage, names: &[String], limit: i32) -> (Vec<Row>, usize) {
    let topics = names
        .iter()
        .map(|name| TopicRequest { name: Str::from(name), ..Default::default() })
        .collect();
    let mut request = DescribeTopicPartitionsRequest {
        topics,
        response_partition_limit: limit,
        cursor: None,
        ..Default::default()
    };
    let mut rows: Vec<Row> = Vec::new();
    for pages in 1.. {
        let answer = page(View { image, listener: "PLAINTEXT" }, &request);
        let partitions: usize = answer.topics.iter().map(|topic| topic.partitions.len()).sum();
        assert!(partitions <= limit.clamp(1, PARTITIONS_MAX) as usize);
        for topic in answer.topics {
            let name = topic.name.unwrap().to_string();
            let indexes = topic.partitions.iter().map(|partition| partition.partition_index);
            match rows.last_mut() {
                Some(last) if last.0 == name => last.2.extend(indexes),
                _ => rows.push((name, topic.error_code, indexes.collect())),
            }
        }
        let Some(next) = answer.next_cursor else { return (rows, pages) };
        request.cursor = Some(Cursor {
            topic_name: next.topic_name,
            partition_index: next.partition_index,
            ..Default::default()
        });
    }
    unreachable!("pages end")
}

proptest! {
    /// Whatever the limit, the pages together are the whole, each partition once, in order.
    #[test]
    fn pages_add_up(
        counts in prop::collection::vec(1i32..12, 1..8),
        limit in -1i32..15,
        named in any::<bool>(),
    ) {
        let topics: Vec<(String, i32)> =
            counts.iter().enumerate().map(|(at, count)| (format!("t{at}"), *count)).collect();
        let image = image(&topics);
        let names: Vec<String> = match named {
            true => topics.iter().rev().map(|(name, _)| name.clone()).collect(),
            false => Vec::new(),
        };
        let whole: Vec<Row> =
            topics.iter().map(|(name, count)| (name.clone(), 0, (0..*count).collect())).collect();
        let (rows, pages) = all_pages(&image, &names, limit);
        prop_assert_eq!(rows, whole);
        let total: i32 = counts.iter().sum();
        prop_assert!(pages as i32 <= total / limit.max(1) + 1);
    }
}

#[test]
fn a_topic_that_is_missing_is_answered_with_its_error() {
    let image = image(&[("b".into(), 2)]);
    let names = ["zz".into(), "b".into(), "a b".into(), "zz".into()];
    let (rows, pages) = all_pages(&image, &names, 100);
    let expected: [Row; 3] = [
        ("a b".into(), ErrorCode::InvalidTopicException.code(), vec![]),
        ("b".into(), 0, vec![0, 1]),
        ("zz".into(), ErrorCode::UnknownTopicOrPartition.code(), vec![]),
    ];
    assert_eq!((&rows[..], pages), (&expected[..], 1));
}
