//! The offsets topic itself, and the topics whose offsets it keeps. Never deletes a topic.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ottla_coordinator::Command;
use ottla_env::Env;
use ottla_metadata::controller::{NewTopic, Refusal};
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::CoordinatorDriver;
use super::room::Room;

/// Kafka's name for it.
pub(crate) const OFFSETS_TOPIC: &str = "__consumer_offsets";

/// Between two lines about a topic that cannot be made.
const COMPLAINTS_PAUSE_MS: i64 = 10_000;
/// Deletions within this time are looked for together.
const DELETIONS_PAUSE: Duration = Duration::from_secs(1);

/// Makes the topic as Kafka does. In a cluster there must be enough brokers for its replicas; a node
/// that is configured to be alone takes what there is.
pub(super) async fn ensure<E: Env>(driver: &CoordinatorDriver<E>) -> Result<(), ErrorCode> {
    if driver.metadata.image().topics.contains(OFFSETS_TOPIC) {
        return Ok(());
    }
    let config = driver.config.get();
    let topic = NewTopic {
        name: Str::from(OFFSETS_TOPIC),
        num_partitions: config.group.offsets_topic_num_partitions,
        replication_factor: config.group.offsets_topic_replication_factor,
        configs: vec![
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", config.group.offsets_topic_segment_bytes.to_string()),
        ],
    };
    let made = driver.channel.ensure_topics(vec![topic]).await;
    match made.into_iter().next() {
        Some(Ok(())) => Ok(()),
        Some(Err(refusal)) => {
            complain(driver, &refusal);
            Err(ErrorCode::CoordinatorNotAvailable)
        }
        None => Err(ErrorCode::CoordinatorNotAvailable),
    }
}

/// Says why, now and then: clients ask again and again.
fn complain<E: Env>(driver: &CoordinatorDriver<E>, refusal: &Refusal) {
    let now = i64::try_from(driver.env.now().as_millis()).unwrap_or(i64::MAX);
    let before = driver.complained.load(Ordering::Relaxed);
    if now < before.saturating_add(COMPLAINTS_PAUSE_MS) {
        return;
    }
    driver.complained.store(now, Ordering::Relaxed);
    let replicas = driver.config.get().group.offsets_topic_replication_factor;
    let (error, message) = (refusal.code.name(), refusal.message.as_deref().unwrap_or_default());
    tracing::warn!(
        error,
        message,
        replicas,
        brokers = driver.live_brokers(),
        "cannot make {OFFSETS_TOPIC} yet; start as many brokers as it is to have replicas, or lower \
         offsets.topic.replication.factor"
    );
}

/// Removes the offsets of deleted topics, until the coordinator stops. It looks at what is there and
/// not at what has changed, so no deletion is missed, however short a topic's life was.
pub(super) async fn follow_deletions<E: Env>(driver: Arc<CoordinatorDriver<E>>) {
    let mut images = driver.metadata.watch_image();
    let mut stopped = driver.stopped.subscribe();
    loop {
        tokio::select! {
            biased;
            _ended = stopped.wait_for(|stopped| *stopped) => return,
            changed = images.changed() => if changed.is_err() { return },
        }
        driver.env.sleep(DELETIONS_PAUSE).await;
        images.mark_unchanged();
        for room in driver.rooms() {
            forget_deleted(&driver, &room).await;
        }
    }
}

/// Removes a shard's offsets of topics that are no more.
pub(super) async fn forget_deleted<E: Env>(driver: &CoordinatorDriver<E>, room: &Arc<Room<E>>) {
    let mut topics = room.topics().await;
    let image = driver.metadata.image();
    topics.retain(|(name, id)| match *id {
        Uuid::ZERO => !image.topics.contains(name),
        id => image.topics.by_id(id).is_none(),
    });
    if !topics.is_empty() {
        let command = Command::TopicsDeleted { topics };
        room.tell(&driver.env, &driver.data_dirs, command).await;
    }
}
