//! DescribeTopicPartitions (key 75): v0. Partitions of topics page by page, in the order of names
//! (KIP-966). A page ends after so many partitions, and its cursor says where the next one begins.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::image::{Partition, Topic};
use ottla_metadata::topic_name;
use ottla_protocol::messages::describe_topic_partitions_request::{self, TopicRequest};
use ottla_protocol::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use ottla_protocol::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use ottla_protocol::{ErrorCode, Str};

use super::context::RequestContext;
use super::operations;
use super::view::View;
use crate::rooms::Rooms;

/// Most partitions of a page: Kafka's max.request.partition.size.limit.
const PARTITIONS_MAX: i32 = 2000;

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = rooms.metadata.image();
    page(View { image: &image, listener: &context.listener }, &request)
}

fn page(
    view: View<'_>,
    request: &DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = view.image;
    if request.cursor.as_ref().is_some_and(|cursor| !is_sound(cursor, request)) {
        return refused(request);
    }
    let (from, first_index) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.as_str(), cursor.partition_index),
        None => ("", 0),
    };
    let mut page = Page {
        view,
        room: request.response_partition_limit.clamp(1, PARTITIONS_MAX) as usize,
        topics: Vec::new(),
        next: None,
    };
    let first_of = |name: &str| if name == from { first_index } else { 0 };
    if request.topics.is_empty() {
        for topic in image.topics.iter_from(from) {
            if !page.add(topic, first_of(&topic.name)) {
                break;
            }
        }
    } else {
        let names: BTreeSet<&Str> = request.topics.iter().map(|topic| &topic.name).collect();
        for name in names.into_iter().filter(|name| name.as_str() >= from) {
            let more = match image.topics.get(name) {
                Some(topic) => page.add(topic, first_of(name)),
                None => page.add_missing(name),
            };
            if !more {
                break;
            }
        }
    }
    DescribeTopicPartitionsResponse {
        topics: page.topics,
        next_cursor: page.next,
        ..Default::default()
    }
}

/// Whether a cursor can have come from a page of this request.
fn is_sound(
    cursor: &describe_topic_partitions_request::Cursor,
    request: &DescribeTopicPartitionsRequest,
) -> bool {
    let asked = |topic: &TopicRequest| topic.name == cursor.topic_name;
    cursor.partition_index >= 0 && (request.topics.is_empty() || request.topics.iter().any(asked))
}

/// Every topic with the error that the whole request earned.
fn refused(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.iter().map(|topic| DescribeTopicPartitionsResponseTopic {
        error_code: ErrorCode::InvalidRequest.code(),
        name: Some(topic.name.clone()),
        topic_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    });
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() }
}

struct Page<'a> {
    view: View<'a>,
    /// Partitions that still fit.
    room: usize,
    topics: Vec<DescribeTopicPartitionsResponseTopic>,
    next: Option<Cursor>,
}

impl Page<'_> {
    /// Adds what fits of a topic; false when the page is full and the cursor set.
    fn add(&mut self, topic: &Topic, first_index: i32) -> bool {
        if self.room == 0 {
            return self.stop_before(&topic.name, 0);
        }
        let mut rest = topic.partitions.iter_from(Bound::Included(&first_index));
        let partitions: Vec<_> = rest
            .by_ref()
            .take(self.room)
            .map(|(index, partition)| partition_of(self.view, *index, partition))
            .collect();
        self.room -= partitions.len();
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            is_internal: topic.is_internal(),
            partitions,
            topic_authorized_operations: operations::TOPIC,
            ..Default::default()
        });
        match rest.next() {
            Some((index, _)) => self.stop_before(&topic.name, *index),
            None => true,
        }
    }

    fn add_missing(&mut self, name: &Str) -> bool {
        if self.room == 0 {
            return self.stop_before(name, 0);
        }
        let code = match topic_name::validate(name) {
            Ok(()) => ErrorCode::UnknownTopicOrPartition,
            Err(_) => ErrorCode::InvalidTopicException,
        };
        self.topics.push(DescribeTopicPartitionsResponseTopic {
            error_code: code.code(),
            name: Some(name.clone()),
            is_internal: topic_name::is_internal(name),
            topic_authorized_operations: operations::TOPIC,
            ..Default::default()
        });
        true
    }

    fn stop_before(&mut self, name: &Str, partition_index: i32) -> bool {
        self.next =
            Some(Cursor { topic_name: name.clone(), partition_index, ..Default::default() });
        false
    }
}

fn partition_of(
    view: View<'_>,
    partition_index: i32,
    partition: &Partition,
) -> DescribeTopicPartitionsResponsePartition {
    // That there is none is no error here, as Kafka has it.
    let (leader_id, _) = view.leader(partition);
    DescribeTopicPartitionsResponsePartition {
        partition_index,
        leader_id,
        leader_epoch: partition.leader_epoch,
        replica_nodes: partition.replicas.to_vec(),
        isr_nodes: partition.isr.to_vec(),
        eligible_leader_replicas: Some(partition.eligible_leader_replicas.to_vec()),
        last_known_elr: Some(partition.last_known_elr.to_vec()),
        offline_replicas: view.offline_replicas(partition),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
