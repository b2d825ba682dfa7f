//! BrokerRegistration: a broker joins the cluster, fenced, under an epoch of its own. What its
//! former life was in sync for is taken from it in the same step.

use std::collections::BTreeSet;

use ottla_plant::{Plant, planted};
use ottla_protocol::messages::BrokerRegistrationRequest;
use ottla_protocol::messages::RegisterBrokerRecord;
use ottla_protocol::messages::register_broker_record::{BrokerEndpoint, BrokerFeature};
use ottla_protocol::{ErrorCode, Str};

use super::refusal::Refusal;
use super::updates::{self, Movement, Progress};
use super::{Decision, RECORDS_MAX, Reply, Soft, fencing};
use crate::image::{Broker, METADATA_VERSION, MetadataImage, PartitionId, directory};
use crate::record::MetadataRecord;

/// The first version whose brokers tell the epoch they stopped with (KIP-966).
const VERSION_WITH_PREVIOUS_EPOCH: i16 = 3;
/// What came with the command.
pub(super) struct Asked {
    pub(super) request: BrokerRegistrationRequest,
    pub(super) version: i16,
    /// See [`super::Command::RegisterBroker`].
    pub(super) unfence: bool,
}

pub(super) fn register(
    image: &MetadataImage,
    soft: &mut Soft,
    now_ms: i64,
    asked: Asked,
) -> Decision {
    if let Err(refusal) = check(image, soft, now_ms, &asked) {
        return Decision::answer(Reply::Refused(refusal));
    }
    let Asked { request, version, unfence } = asked;
    let id = request.broker_id;
    let existing = image.brokers.get(id);
    let same = existing.filter(|broker| broker.incarnation_id == request.incarnation_id);
    let mut records = Vec::new();
    if same.is_none() && !planted(Plant::FormerLifeStaysInSync) {
        let detects = version >= VERSION_WITH_PREVIOUS_EPOCH;
        let previous = request.previous_broker_epoch;
        let is_clean = !detects || existing.is_some_and(|broker| broker.epoch == previous);
        let progress = end_former_life(image, soft, id, is_clean, unfence, &mut records);
        if progress == Progress::More {
            return not_yet(existing, records);
        }
    }
    // As in Kafka, the epoch of a broker is where its registration begins in the log.
    let broker_epoch = same.map_or(image.next_offset, |broker| broker.epoch);
    records.push(record(image, request, same, broker_epoch).into());
    if same.is_none() {
        soft.sessions.begin(id, broker_epoch, now_ms, unfence);
    }
    if unfence {
        unfence_at_once(image, soft, id, broker_epoch, &mut records);
    }
    Decision { records, reply: Reply::Registered { broker_epoch } }
}

fn check(image: &MetadataImage, soft: &Soft, now_ms: i64, asked: &Asked) -> Result<(), Refusal> {
    let request = &asked.request;
    let id = request.broker_id;
    if let Some(expected) = &soft.cluster_id
        && *expected != request.cluster_id
    {
        let message =
            format!("Expected cluster ID {expected}, but got cluster ID {}", request.cluster_id);
        return Err(Refusal::new(ErrorCode::InconsistentClusterId, message));
    }
    if id < 0 {
        return Err(Refusal::invalid_request(format!("Broker id {id} is negative.")));
    }
    if let Some(existing) = image.brokers.get(id)
        && existing.incarnation_id != request.incarnation_id
        && !asked.unfence
        && !has_its_directories(existing, request)
        && soft.has_live_session(id, now_ms)
    {
        let message = "Another broker is registered with that broker id. If the broker was recently \
                       restarted this should self-resolve once the heartbeat manager expires the \
                       broker's session.";
        return Err(Refusal::new(ErrorCode::DuplicateBrokerRegistration, message));
    }
    if request.is_migrating_zk_broker {
        let message = "Controller does not support registering ZK brokers.";
        return Err(Refusal::new(ErrorCode::BrokerIdNotRegistered, message));
    }
    check_directories(image, request)?;
    check_features(image, request)
}

/// A log directory has one lock: a process that has the directories of the registered one knows that
/// the other is gone, and need not wait until its session times out. Kafka's controller waits.
fn has_its_directories(existing: &Broker, request: &BrokerRegistrationRequest) -> bool {
    let dirs = &existing.log_dirs;
    !dirs.is_empty() && dirs.iter().all(|dir| request.log_dirs.contains(dir))
}

fn check_directories(
    image: &MetadataImage,
    request: &BrokerRegistrationRequest,
) -> Result<(), Refusal> {
    let refuse = |message: String| Err(Refusal::new(ErrorCode::InvalidRegistration, message));
    let dirs = &request.log_dirs;
    if !image.features.has_directories() {
        return Ok(());
    }
    if dirs.is_empty() {
        return refuse("No directories specified in request".into());
    }
    if dirs.iter().any(|dir| directory::is_reserved(*dir)) {
        return refuse("Reserved directory ID in request".into());
    }
    if dirs.iter().collect::<BTreeSet<_>>().len() != dirs.len() {
        return refuse("Duplicate directory ID in request".into());
    }
    for other in image.brokers.iter().filter(|broker| broker.id != request.broker_id) {
        if let Some(dir) = dirs.iter().find(|dir| other.log_dirs.contains(dir)) {
            let message = format!("Broker {} is already registered with directory {dir}", other.id);
            return refuse(message);
        }
    }
    Ok(())
}

/// A broker must be able to work at every level the cluster has agreed on, those of features it
/// never heard of among them.
fn check_features(
    image: &MetadataImage,
    request: &BrokerRegistrationRequest,
) -> Result<(), Refusal> {
    let said = |name: &str| request.features.iter().find(|feature| feature.name == *name);
    if said(METADATA_VERSION).is_none() {
        let message = "Request features do not contain 'metadata.version'";
        return Err(Refusal::new(ErrorCode::InvalidRegistration, message));
    }
    let finalized = image.features.finalized().map(|(name, level)| (name.as_str(), level));
    for (name, level) in finalized {
        let (min, max) =
            said(name).map_or((0, 0), |f| (f.min_supported_version, f.max_supported_version));
        supports(name, level, min, max)?;
    }
    for feature in &request.features {
        let name = feature.name.as_str();
        if image.features.level(name) == 0 && name != METADATA_VERSION {
            supports(name, 0, feature.min_supported_version, feature.max_supported_version)?;
        }
    }
    Ok(())
}

fn supports(name: &str, finalized: i16, min: i16, max: i16) -> Result<(), Refusal> {
    if (min..=max).contains(&finalized) {
        return Ok(());
    }
    let message = format!(
        "Unable to register because the broker does not support finalized version {finalized} of \
         {name}. The broker wants a version between {min} and {max}, inclusive."
    );
    Err(Refusal::new(ErrorCode::UnsupportedVersion, message))
}

/// What a former life of the broker was in sync for, the new one is not. Where that life did not end
/// in order, what it acknowledged may be gone: then it is not eligible either.
fn end_former_life(
    image: &MetadataImage,
    soft: &Soft,
    id: i32,
    is_clean: bool,
    is_own: bool,
    records: &mut Vec<MetadataRecord>,
) -> Progress {
    // A node alone with its partitions goes on where its log ends: nobody else has read of them.
    let shared = |at: &PartitionId| match updates::find(image, *at) {
        Some((_, partition)) => !is_own || partition.replicas != [id],
        None => false,
    };
    // Room for the registration and the fence.
    let records_max = RECORDS_MAX - 2;
    let mut update = |movement, ids: &mut dyn Iterator<Item = PartitionId>| {
        updates::of_partitions_within(image, soft, movement, ids, records, records_max)
    };
    let in_sync = &mut image.topics.in_sync_of(id).filter(shared);
    let is_clean = is_clean || planted(Plant::EligibleAfterUncleanStop);
    if is_clean || !image.features.has_eligible_leader_replicas() {
        return update(Movement::leaves(id), in_sync);
    }
    let movement = Movement::unclean_shutdown(id);
    let progress = update(movement, in_sync);
    progress.and(update(movement, &mut image.topics.eligible_of(id).filter(shared)))
}

/// The batch is full: the broker stays out until a later registration finds nothing left to do.
fn not_yet(existing: Option<&Broker>, mut records: Vec<MetadataRecord>) -> Decision {
    if let Some(broker) = existing.filter(|broker| !broker.fenced) {
        records.push(fencing::fence_record(broker).into());
    }
    let message =
        "The partitions of this broker's former life are still being moved; register again.";
    let refusal = Refusal::new(ErrorCode::RequestTimedOut, message);
    Decision { records, reply: Reply::Refused(refusal) }
}

fn record(
    image: &MetadataImage,
    request: BrokerRegistrationRequest,
    same: Option<&Broker>,
    broker_epoch: i64,
) -> RegisterBrokerRecord {
    let end_points = request.listeners.into_iter().map(|listener| BrokerEndpoint {
        name: listener.name,
        host: listener.host,
        port: listener.port,
        security_protocol: listener.security_protocol,
        ..Default::default()
    });
    let feature = |name: Str, min_supported_version, max_supported_version| BrokerFeature {
        name,
        min_supported_version,
        max_supported_version,
        ..Default::default()
    };
    let features = request
        .features
        .into_iter()
        .map(|f| feature(f.name, f.min_supported_version, f.max_supported_version));
    let has_directories = image.features.has_directories();
    RegisterBrokerRecord {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        broker_epoch,
        end_points: end_points.collect(),
        features: features.collect(),
        rack: request.rack,
        fenced: same.is_none_or(|broker| broker.fenced),
        in_controlled_shutdown: same.is_some_and(|broker| broker.in_controlled_shutdown),
        log_dirs: if has_directories { request.log_dirs } else { Vec::new() },
        cordoned_log_dirs: same
            .map(|broker| broker.cordoned_log_dirs.clone())
            .filter(|dirs| !dirs.is_empty()),
        ..Default::default()
    }
}

/// The second half of [`super::Command::RegisterBroker`] for the node that is the whole quorum.
fn unfence_at_once(
    image: &MetadataImage,
    soft: &mut Soft,
    id: i32,
    epoch: i64,
    records: &mut Vec<MetadataRecord>,
) {
    records.push(fencing::unfence_record(id, epoch).into());
    let mut then = image.clone();
    for record in records.iter() {
        let applied = then.apply(record);
        debug_assert_eq!(applied, Ok(()), "a record of our own fits");
    }
    let leaderless = then.topics.without_leader();
    let _progress = updates::of_partitions(&then, soft, Movement::default(), leaderless, records);
    soft.levels.leaderless = true;
}
