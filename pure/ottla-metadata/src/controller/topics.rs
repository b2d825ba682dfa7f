//! CreateTopics and DeleteTopics. A topic that fails takes no other with it.

use std::collections::{BTreeMap, BTreeSet};

use ottla_config::resolve;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, DeleteTopicsResponse,
    RemoveTopicRecord,
};
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::create_topic::{self, Created};
use super::refusal::Refusal;
use super::{Decision, RECORDS_MAX, Reply, Soft};
use crate::image::{MetadataImage, Overrides, Topic};
use crate::record::MetadataRecord;
use crate::topic_name;

pub(super) fn create(
    image: &MetadataImage,
    soft: &mut Soft,
    request: CreateTopicsRequest,
) -> Decision {
    let mut seen: BTreeMap<&Str, usize> = BTreeMap::new();
    for topic in &request.topics {
        *seen.entry(&topic.name).or_default() += 1;
    }
    let excessive = partitions_asked(soft, &request.topics) > RECORDS_MAX as i64;
    // Grows with the request, so that its topics see each other.
    let mut scratch = image.clone();
    let mut records = Vec::new();
    let mut answered = BTreeSet::new();
    let mut results = Vec::with_capacity(request.topics.len());
    for topic in &request.topics {
        if !answered.insert(&topic.name) {
            continue;
        }
        let outcome = if seen[&topic.name] > 1 {
            Err(Refusal::invalid_request("Duplicate topic name."))
        } else if excessive {
            Err(Refusal::new(
                ErrorCode::PolicyViolation,
                "Excessively large number of partitions per request.",
            ))
        } else {
            create_topic::create(&scratch, soft, topic)
        };
        let outcome = outcome.and_then(|created| add(&mut scratch, created, &mut records));
        results.push(created_result(soft, topic.name.clone(), outcome));
    }
    if request.validate_only {
        records.clear();
    }
    let response = CreateTopicsResponse { topics: results, ..Default::default() };
    Decision { records, reply: Reply::CreateTopics(response) }
}

/// Kafka counts what would be created if every topic passed.
fn partitions_asked(soft: &Soft, topics: &[CreatableTopic]) -> i64 {
    let of = |topic: &CreatableTopic| match topic.num_partitions {
        _ if !topic.assignments.is_empty() => topic.assignments.len() as i64,
        -1 => i64::from(soft.config.topic.num_partitions),
        count => i64::from(count.max(0)),
    };
    topics.iter().map(of).fold(0, i64::saturating_add)
}

/// Takes a created topic into the request's own view and the decision's records.
pub(super) fn add(
    scratch: &mut MetadataImage,
    mut created: Created,
    records: &mut Vec<MetadataRecord>,
) -> Result<Created, Refusal> {
    if records.len() + created.records.len() > RECORDS_MAX + RECORDS_MAX / 2 {
        return Err(Refusal::new(
            ErrorCode::PolicyViolation,
            "Excessively large number of partitions per request.",
        ));
    }
    for record in &created.records {
        let applied = scratch.apply(record);
        debug_assert_eq!(applied, Ok(()), "a record of our own fits");
    }
    records.append(&mut created.records);
    Ok(created)
}

fn created_result(
    soft: &Soft,
    name: Str,
    outcome: Result<Created, Refusal>,
) -> CreatableTopicResult {
    match outcome {
        Ok(created) => CreatableTopicResult {
            name,
            topic_id: created.topic_id,
            error_message: None,
            num_partitions: created.num_partitions,
            replication_factor: created.replication_factor,
            configs: Some(effective_configs(soft, &created.overrides)),
            ..Default::default()
        },
        Err(refusal) => CreatableTopicResult {
            name,
            error_code: refusal.code.code(),
            error_message: refusal.message,
            num_partitions: -1,
            replication_factor: -1,
            configs: Some(Vec::new()),
            ..Default::default()
        },
    }
}

/// Every setting the new topic has, its own or not: what version 5 and later answer.
fn effective_configs(soft: &Soft, overrides: &Overrides) -> Vec<CreatableTopicConfigs> {
    let resolved = resolve::topic_keys(&soft.config.layers, overrides);
    let config = resolved.into_iter().map(|key| CreatableTopicConfigs {
        name: Str::from(key.name),
        value: key.value.map(Str::from),
        read_only: key.read_only,
        config_source: key.source.code(),
        is_sensitive: key.sensitive,
        ..Default::default()
    });
    config.collect()
}

pub(super) fn delete(
    image: &MetadataImage,
    soft: &Soft,
    request: &DeleteTopicsRequest,
    version: i16,
) -> Decision {
    let named = |name: &Str| (Some(name.clone()), Uuid::ZERO);
    let asked: Vec<(Option<Str>, Uuid)> = if version >= 6 {
        request.topics.iter().map(|topic| (topic.name.clone(), topic.topic_id)).collect()
    } else {
        request.topic_names.iter().map(named).collect()
    };
    let mut names: BTreeMap<&Str, usize> = BTreeMap::new();
    let mut ids: BTreeMap<Uuid, usize> = BTreeMap::new();
    for (name, id) in &asked {
        if let Some(name) = name {
            *names.entry(name).or_default() += 1;
        } else {
            *ids.entry(*id).or_default() += 1;
        }
    }
    let mut records = Vec::new();
    let mut responses = Vec::with_capacity(asked.len());
    let mut answered = BTreeSet::new();
    for (name, id) in &asked {
        if !answered.insert((name, *id)) {
            continue;
        }
        let duplicate = match name {
            Some(name) => names[name] > 1,
            None => ids[id] > 1,
        };
        let outcome = deletable(image, soft, name.as_ref(), *id, duplicate, version);
        // Named by its name and by its id, a topic is answered under its name, and stays.
        let twice = |topic: &Topic| match name {
            Some(_) => ids.contains_key(&topic.id),
            None => names.contains_key(&topic.name),
        };
        let outcome = match outcome {
            Ok(topic) if twice(topic) && name.is_none() => continue,
            Ok(topic) if twice(topic) => Err(Refusal::invalid_request(
                "The provided topic name maps to an ID that was already supplied.",
            )),
            outcome => outcome,
        };
        responses.push(deleted_result(name.as_ref(), *id, &outcome));
        if let Ok(topic) = outcome {
            records.push(RemoveTopicRecord { topic_id: topic.id, ..Default::default() }.into());
        }
    }
    let response = DeleteTopicsResponse { responses, ..Default::default() };
    Decision { records, reply: Reply::DeleteTopics(response) }
}

fn deletable<'a>(
    image: &'a MetadataImage,
    soft: &Soft,
    name: Option<&Str>,
    id: Uuid,
    duplicate: bool,
    version: i16,
) -> Result<&'a Topic, Refusal> {
    if !soft.config.topic.delete_topic_enable {
        // The code came with version 3.
        let code = match version {
            3.. => ErrorCode::TopicDeletionDisabled,
            _ => ErrorCode::InvalidRequest,
        };
        return Err(Refusal::new(code, "Topic deletion is disabled."));
    }
    let found = match (name, id.is_zero()) {
        (Some(_), false) => {
            let message = "You may not specify both topic name and topic id.";
            return Err(Refusal::invalid_request(message));
        }
        (None, true) => {
            let message = "Neither topic name nor id were specified.";
            return Err(Refusal::invalid_request(message));
        }
        (Some(_), true) if duplicate => {
            return Err(Refusal::invalid_request("Duplicate topic name."));
        }
        (None, false) if duplicate => {
            return Err(Refusal::invalid_request("Duplicate topic id."));
        }
        (Some(name), true) => image.topics.get(name).ok_or(ErrorCode::UnknownTopicOrPartition),
        (None, false) => image.topics.by_id(id).ok_or(ErrorCode::UnknownTopicId),
    };
    let words = |code| match code {
        ErrorCode::UnknownTopicId => "This server does not host this topic ID.",
        _ => "This server does not host this topic-partition.",
    };
    let topic = found.map_err(|code| Refusal::new(code, words(code)))?;
    if topic.name == topic_name::CLUSTER_METADATA {
        let message = "The metadata log cannot be deleted.";
        return Err(Refusal::new(ErrorCode::InvalidTopicException, message));
    }
    Ok(topic)
}

fn deleted_result(
    name: Option<&Str>,
    id: Uuid,
    outcome: &Result<&Topic, Refusal>,
) -> DeletableTopicResult {
    match outcome {
        Ok(topic) => DeletableTopicResult {
            name: Some(topic.name.clone()),
            topic_id: topic.id,
            error_message: None,
            ..Default::default()
        },
        Err(refusal) => DeletableTopicResult {
            name: name.cloned(),
            topic_id: id,
            error_code: refusal.code.code(),
            error_message: refusal.message.clone(),
            ..Default::default()
        },
    }
}
