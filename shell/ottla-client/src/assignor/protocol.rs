//! Subscriptions and assignments as bytes: a version, then Kafka's message of the consumer protocol.

use std::collections::BTreeMap;

use bytes::Bytes;
use ottla_protocol::messages::{
    ConsumerProtocolAssignment, ConsumerProtocolSubscription, consumer_protocol_assignment,
    consumer_protocol_subscription,
};
use ottla_protocol::{DecodeError, Decoder, Encoder, Message, Str};

use super::Member;
use crate::topic_partition::TopicPartition;

/// What a member says of itself when it joins.
pub fn encode_subscription(member: &Member) -> Bytes {
    let owned = by_topic(&member.owned).into_iter().map(|(topic, partitions)| {
        consumer_protocol_subscription::TopicPartition { topic, partitions }
    });
    let subscription = ConsumerProtocolSubscription {
        topics: member.topics.clone(),
        owned_partitions: owned.collect(),
        generation_id: member.generation,
        ..ConsumerProtocolSubscription::default()
    };
    encode(&subscription)
}

/// Reads what a member said of itself.
///
/// # Errors
/// If it is no subscription.
pub fn decode_subscription(
    id: Str,
    instance_id: Option<Str>,
    bytes: Bytes,
) -> Result<Member, DecodeError> {
    let subscription: ConsumerProtocolSubscription = decode(bytes)?;
    let owned = subscription.owned_partitions.into_iter();
    let flatten = |topic: consumer_protocol_subscription::TopicPartition| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |index| TopicPartition::new(name.clone(), index))
    };
    Ok(Member {
        id,
        instance_id,
        topics: subscription.topics,
        owned: owned.flat_map(flatten).collect(),
        generation: subscription.generation_id,
    })
}

/// What the leader hands to a member.
pub fn encode_assignment(partitions: &[TopicPartition]) -> Bytes {
    let assigned = by_topic(partitions).into_iter().map(|(topic, partitions)| {
        consumer_protocol_assignment::TopicPartition { topic, partitions }
    });
    let assignment = ConsumerProtocolAssignment {
        assigned_partitions: assigned.collect(),
        ..ConsumerProtocolAssignment::default()
    };
    encode(&assignment)
}

/// Reads what the leader handed out; no bytes are no partitions.
///
/// # Errors
/// If it is no assignment.
pub fn decode_assignment(bytes: Bytes) -> Result<Vec<TopicPartition>, DecodeError> {
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    let assignment: ConsumerProtocolAssignment = decode(bytes)?;
    let flatten = |topic: consumer_protocol_assignment::TopicPartition| {
        let name = topic.topic;
        topic.partitions.into_iter().map(move |index| TopicPartition::new(name.clone(), index))
    };
    Ok(assignment.assigned_partitions.into_iter().flat_map(flatten).collect())
}

fn encode<M: Message>(message: &M) -> Bytes {
    let version = *M::VERSIONS.end();
    let mut encoder = Encoder::new();
    encoder.put_i16(version);
    message.encode(&mut encoder, version).expect("names and numbers can always be encoded");
    encoder.into_bytes()
}

/// A newer version than is known reads as the newest known: fields are only ever added at the end.
fn decode<M: Message>(bytes: Bytes) -> Result<M, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let version = decoder.i16("version")?;
    M::decode(&mut decoder, version.clamp(0, *M::VERSIONS.end()))
}

fn by_topic(partitions: &[TopicPartition]) -> BTreeMap<Str, Vec<i32>> {
    crate::offsets::group_by_topic(partitions)
}
