//! Metadata (key 3): v0-13. Who is in the cluster, and who leads what.
//!
//! A topic that does not exist and may be auto-created is in the first answer, ready (Kafka answers
//! UNKNOWN_TOPIC_OR_PARTITION while it makes it). v0 asks for all topics with an empty list, later
//! versions with null. Topic ids since v10 (KIP-516), asked for by since v12; authorized operations
//! on request (KIP-430); a top-level error since v13 (KIP-1102).

use std::collections::BTreeSet;
use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::controller::{NewTopic, Refusal};
use ottla_metadata::image::{MetadataImage, Partition, Topic};
use ottla_metadata::topic_name;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::context::RequestContext;
use super::view::View;
use super::{nodes, operations};
use crate::rooms::Rooms;

/// The first version in which a topic may be asked for by its id.
const BY_ID: i16 = 12;
/// The first version in which a leader without the client's listener has an error of its own.
const LISTENER_ERROR: i16 = 6;

/// Whom the answer is for. Version 0 is told only of replicas that can be reached.
#[derive(Clone, Copy)]
struct Asker<'a> {
    view: View<'a>,
    version: i16,
}

pub(crate) async fn handle<E: Env>(
    rooms: &Arc<Rooms<E>>,
    context: &RequestContext,
    request: MetadataRequest,
) -> MetadataResponse {
    let version = context.version;
    let asked = match request.topics {
        None => None,
        Some(topics) if topics.is_empty() && version == 0 => None,
        Some(topics) => Some(topics),
    };
    if let Some(topics) = &asked
        && version < BY_ID
        && topics.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_zero())
    {
        return refused(topics);
    }
    // Once one topic is asked for by its id, those asked for by name are passed over, as by Kafka.
    let asked = asked.map(|topics| {
        let by_id = topics.iter().any(|topic| !topic.topic_id.is_zero());
        topics.into_iter().filter(|topic| !by_id || !topic.topic_id.is_zero()).collect::<Vec<_>>()
    });
    let mut refusals = Vec::new();
    // Versions before 4 have no say in it.
    if let Some(topics) = &asked
        && (version < 4 || request.allow_auto_topic_creation)
        && rooms.config.get().topic.auto_create_topics_enable
    {
        refusals = create_missing(rooms, topics).await;
    }
    let image = rooms.metadata.image();
    let view = View { image: &image, listener: &context.listener };
    let asker = Asker { view, version };
    let mut topics: Vec<MetadataResponseTopic> = match &asked {
        None => image.topics.iter().map(|topic| found(asker, topic)).collect(),
        Some(asked) => {
            let mut seen = BTreeSet::new();
            let once = asked.iter().filter(|topic| seen.insert((&topic.name, topic.topic_id)));
            once.map(|topic| look_up(asker, topic, &refusals)).collect()
        }
    };
    if request.include_topic_authorized_operations {
        // Of one that is not there as well: whether it is there is not given away to who may not know.
        let named = topics.iter_mut().filter(|topic| topic.name.is_some());
        named.for_each(|topic| topic.topic_authorized_operations = operations::TOPIC);
    }
    let mut response = answer(rooms, context, &image, topics);
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = operations::CLUSTER;
    }
    response
}

fn answer<E: Env>(
    rooms: &Rooms<E>,
    context: &RequestContext,
    image: &MetadataImage,
    topics: Vec<MetadataResponseTopic>,
) -> MetadataResponse {
    let nodes = nodes::live_nodes(rooms, context, image);
    let controller_id = nodes::controller(rooms.node.node_id, nodes.iter().map(|node| node.id));
    let brokers = nodes.into_iter().map(|node| MetadataResponseBroker {
        node_id: node.id,
        host: node.host,
        port: node.port,
        rack: node.rack,
        ..Default::default()
    });
    MetadataResponse {
        brokers: brokers.collect(),
        cluster_id: Some(Str::copy_from(&rooms.node.cluster_id)),
        controller_id,
        topics,
        cluster_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    }
}

/// Every topic with the error that the whole request earned, and nothing of the cluster.
fn refused(asked: &[MetadataRequestTopic]) -> MetadataResponse {
    let topics = asked.iter().map(|topic| MetadataResponseTopic {
        // Null cannot be written in these versions.
        name: Some(topic.name.clone().unwrap_or_default()),
        ..missing(ErrorCode::InvalidRequest, None, topic.topic_id)
    });
    MetadataResponse {
        controller_id: -1,
        topics: topics.collect(),
        cluster_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    }
}

/// Makes the topics that are asked for and not there; answers why some were not made.
async fn create_missing<E: Env>(
    rooms: &Rooms<E>,
    asked: &[MetadataRequestTopic],
) -> Vec<(Str, Refusal)> {
    let image = rooms.metadata.image();
    let by_name = asked.iter().filter(|topic| topic.topic_id.is_zero());
    let names = by_name.filter_map(|topic| topic.name.as_ref());
    let missing: Vec<Str> = names.filter(|name| !image.topics.contains(name)).cloned().collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let wanted = missing.iter().map(|name| auto_topic(rooms, name)).collect();
    let answers = rooms.channel.ensure_topics(wanted).await;
    missing.into_iter().zip(answers).filter_map(|(name, a)| Some((name, a.err()?))).collect()
}

/// A topic as it is made without being asked for by an administrator.
fn auto_topic<E: Env>(rooms: &Rooms<E>, name: &Str) -> NewTopic {
    let config = rooms.config.get();
    match name.as_str() {
        "__consumer_offsets" => NewTopic {
            name: name.clone(),
            num_partitions: config.group.offsets_topic_num_partitions,
            replication_factor: config.group.offsets_topic_replication_factor,
            configs: vec![
                ("cleanup.policy", "compact".into()),
                ("compression.type", "producer".into()),
                ("segment.bytes", config.group.offsets_topic_segment_bytes.to_string()),
            ],
        },
        _ => NewTopic::auto(name.clone()),
    }
}

fn look_up(
    asker: Asker<'_>,
    asked: &MetadataRequestTopic,
    refusals: &[(Str, Refusal)],
) -> MetadataResponseTopic {
    let image = asker.view.image;
    // Java's client sends an empty name along with an id.
    let Some(name) = asked.name.as_ref().filter(|_| asked.topic_id.is_zero()) else {
        return match image.topics.by_id(asked.topic_id) {
            Some(topic) => found(asker, topic),
            None => missing(ErrorCode::UnknownTopicId, None, asked.topic_id),
        };
    };
    if let Some(topic) = image.topics.get(name) {
        return found(asker, topic);
    }
    let refusal = refusals.iter().find(|(refused, _)| refused == name);
    let code = match refusal.map(|(_, refusal)| refusal.code) {
        _ if topic_name::validate(name).is_err() => ErrorCode::InvalidTopicException,
        // Not the client's fault, and not for long: it asks again.
        Some(code) if code.is_retriable() => ErrorCode::LeaderNotAvailable,
        // Nobody could lead it while the brokers are being restarted: the client asks again.
        Some(ErrorCode::InvalidReplicationFactor) if is_restarting(image) => {
            ErrorCode::LeaderNotAvailable
        }
        Some(code @ (ErrorCode::InvalidTopicException | ErrorCode::InvalidReplicationFactor)) => {
            code
        }
        _ => ErrorCode::UnknownTopicOrPartition,
    };
    missing(code, Some(name.clone()), Uuid::ZERO)
}

fn is_restarting(image: &MetadataImage) -> bool {
    image.brokers.iter().any(|broker| broker.in_controlled_shutdown)
}

fn missing(code: ErrorCode, name: Option<Str>, topic_id: Uuid) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: code.code(),
        is_internal: name.as_deref().is_some_and(topic_name::is_internal),
        name,
        topic_id,
        topic_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    }
}

fn found(asker: Asker<'_>, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter();
    MetadataResponseTopic {
        error_code: ErrorCode::None.code(),
        name: Some(topic.name.clone()),
        topic_id: topic.id,
        is_internal: topic.is_internal(),
        partitions: partitions.map(|(index, found)| partition(asker, *index, found)).collect(),
        topic_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    }
}

fn partition(
    asker: Asker<'_>,
    partition_index: i32,
    partition: &Partition,
) -> MetadataResponsePartition {
    let Asker { view, version } = asker;
    let (leader_id, mut error) = view.leader(partition);
    if error == ErrorCode::ListenerNotFound && version < LISTENER_ERROR {
        error = ErrorCode::LeaderNotAvailable;
    }
    let (mut replicas, mut isr) = (partition.replicas.to_vec(), partition.isr.to_vec());
    if version == 0 {
        (replicas, isr) = (view.reached(&replicas), view.reached(&isr));
        let some_are_missing =
            replicas.len() < partition.replicas.len() || isr.len() < partition.isr.len();
        if error == ErrorCode::None && some_are_missing {
            error = ErrorCode::ReplicaNotAvailable;
        }
    }
    MetadataResponsePartition {
        error_code: error.code(),
        partition_index,
        leader_id,
        leader_epoch: partition.leader_epoch,
        replica_nodes: replicas,
        isr_nodes: isr,
        offline_replicas: view.offline_replicas(partition),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
