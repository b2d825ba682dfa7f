//! Where a group's coordinator is, told once it can serve: a client that was sent to one that cannot
//! would meet errors on the way to a cluster's first group.

use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_metadata::image::MetadataImage;
use ottla_protocol::{ErrorCode, Str};

use super::{CoordinatorDriver, OFFSETS_TOPIC, hash, topic};

/// How long a request waits for its coordinator. Other requests of its connection wait behind it.
const FIND_MAX: Duration = Duration::from_secs(5);
/// How often a coordinator elsewhere is looked for, if nothing changes in between.
const FIND_PAUSE: Duration = Duration::from_millis(100);

/// The node that serves `group`. Makes the offsets topic when it is first asked for.
pub(super) async fn locate<E: Env>(
    driver: &CoordinatorDriver<E>,
    own_id: i32,
    group: &Str,
) -> Result<i32, ErrorCode> {
    let mut images = driver.metadata.watch_image();
    let mut stopped = driver.stopped.subscribe();
    let deadline = driver.env.now() + FIND_MAX;
    loop {
        images.mark_unchanged();
        let found = try_locate(driver, own_id, group).await;
        let left = deadline - driver.env.now();
        if found.is_ok() || left.is_zero() {
            return found;
        }
        tokio::select! {
            biased;
            _ended = stopped.wait_for(|stopped| *stopped) => return found,
            changed = images.changed() => if changed.is_err() { return found },
            () = driver.env.sleep(FIND_PAUSE.min(left)) => {}
        }
    }
}

async fn try_locate<E: Env>(
    driver: &CoordinatorDriver<E>,
    own_id: i32,
    group: &Str,
) -> Result<i32, ErrorCode> {
    topic::ensure(driver).await?;
    let image = driver.metadata.image();
    let topic = image.topics.get(OFFSETS_TOPIC).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let index = hash::partition_of(group, topic.partitions.len());
    let partition = topic.partitions.get(&index).ok_or(ErrorCode::CoordinatorNotAvailable)?;
    if partition.leader == own_id {
        driver.room_of(group).await.map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
        return Ok(own_id);
    }
    let address = address_of(driver, &image, partition.leader);
    let address = address.ok_or(ErrorCode::CoordinatorNotAvailable)?;
    let shard = (topic.id, index, partition.leader_epoch);
    let serves = driver.elsewhere.serves(&driver.env, &address, shard, group).await;
    if serves { Ok(partition.leader) } else { Err(ErrorCode::CoordinatorNotAvailable) }
}

/// Where other brokers reach a live one.
fn address_of<E: Env>(
    driver: &CoordinatorDriver<E>,
    image: &Arc<MetadataImage>,
    broker: i32,
) -> Option<String> {
    let config = driver.config.get();
    let listener = config.inter_broker_listener()?;
    let broker = image.brokers.get(broker).filter(|broker| broker.is_active())?;
    let endpoint = broker.endpoint(&listener.name)?;
    Some(match endpoint.host.contains(':') {
        true => format!("[{}]:{}", endpoint.host, endpoint.port),
        false => format!("{}:{}", endpoint.host, endpoint.port),
    })
}
