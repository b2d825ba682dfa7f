//! How the controller starts: its log, the first records of a new cluster, this broker's
//! registration, and the partitions the image says are here.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use ottla_config::{Advertised, FlushMode, Listener};
use ottla_env::Env;
use ottla_metadata::MetadataRecord;
use ottla_metadata::controller::{Command, Reply, Soft};
use ottla_metadata::image::{MetadataImage, SUPPORTED};
use ottla_protocol::messages::broker_registration_request::{Feature, Listener as Endpoint};
use ottla_protocol::messages::{AbortTransactionRecord, BrokerRegistrationRequest};
use ottla_protocol::{Str, Uuid};
use tokio::sync::Mutex;

use super::metadata_log::{Loaded, MetadataLog};
use super::{ControllerDriver, ControllerError, Machine};
use crate::log::LogError;

pub(super) async fn start<E: Env>(
    driver: &ControllerDriver<E>,
    bound: &[(String, SocketAddr)],
) -> Result<(), ControllerError> {
    let env = &driver.env;
    let Loaded { mut log, mut controller, removed_topics } =
        MetadataLog::load(env, &driver.data_dir).await?;
    log.lead(env, &driver.data_dir, driver.node.node_id, &mut controller).await?;
    if controller.has_open_transaction() {
        // Its rest died with the process that wrote it.
        let reason = Some("The controller was restarted".into());
        let abort: MetadataRecord = AbortTransactionRecord { reason, ..Default::default() }.into();
        let written = log.append(env, &driver.data_dir, std::slice::from_ref(&abort)).await;
        written.map_err(ControllerError::Append)?;
        let offset = controller.next_offset();
        controller.replay(&abort).map_err(|error| {
            let record = abort.name();
            ControllerError::Replay { offset, record, error }
        })?;
    }
    driver.apply_broker_config(controller.image());
    let mut seed = [0; 4];
    seed.fill_with(|| env.random_u64());
    let soft = Soft::new(driver.node.node_id, driver.config.get(), seed);
    let mut machine = Machine { controller, soft, log, broken: false };

    command(driver, &mut machine, Command::Bootstrap).await?;
    let before = machine.controller.image().clone();
    clear_strays(driver, &before, &removed_topics).await?;
    open_partitions(driver, &before).await?;
    register(driver, &mut machine, bound).await?;
    driver.image.send_replace(Arc::new(machine.controller.image().clone()));
    let _first_start = driver.machine.set(Mutex::new(machine));
    Ok(())
}

/// A command whose records must be durable before the start goes on.
async fn command<E: Env>(
    driver: &ControllerDriver<E>,
    machine: &mut Machine<E>,
    command: Command,
) -> Result<Reply, ControllerError> {
    let refused = |code: ottla_protocol::ErrorCode| {
        ControllerError::Refused(format!("the controller answered {code}"))
    };
    let (reply, lsn) = driver.step(machine, command).await.map_err(refused)?;
    if let Some(lsn) = lsn {
        driver.data_dir.wait_durable(lsn).await.map_err(ControllerError::Failed)?;
    }
    match reply {
        Reply::Refused(refusal) => {
            let message = refusal
                .message
                .map_or_else(|| refusal.code.to_string(), |message| message.to_string());
            Err(ControllerError::Refused(message))
        }
        reply => Ok(reply),
    }
}

async fn register<E: Env>(
    driver: &ControllerDriver<E>,
    machine: &mut Machine<E>,
    bound: &[(String, SocketAddr)],
) -> Result<(), ControllerError> {
    let config = driver.config.get();
    let node_id = driver.node.node_id;
    let mut incarnation = [0; 16];
    driver.env.fill_random(&mut incarnation);
    let features = SUPPORTED.iter().map(|known| Feature {
        name: known.name.into(),
        min_supported_version: known.min,
        max_supported_version: known.max,
        ..Default::default()
    });
    // A log that survives a crash makes every stop an orderly one (KIP-966).
    let keeps_all = config.ottla.flush != FlushMode::None;
    let former = machine.controller.image().brokers.get(node_id).filter(|_| keeps_all);
    let request = BrokerRegistrationRequest {
        broker_id: node_id,
        incarnation_id: Uuid::from_random(incarnation),
        listeners: endpoints(&config.listeners, bound),
        features: features.collect(),
        rack: config.node.broker_rack.as_deref().map(Str::copy_from),
        log_dirs: vec![driver.node.directory_id],
        previous_broker_epoch: former.map_or(-1, |broker| broker.epoch),
        ..Default::default()
    };
    let register = Command::RegisterBroker { request, version: 4, unfence: true };
    let reply = command(driver, machine, register).await?;
    if let Reply::Registered { broker_epoch } = reply {
        let _first_start = driver.broker_epoch.set(broker_epoch);
    }
    if config.ottla.flush == FlushMode::None {
        // What was acknowledged may be gone after a power cut: the same epoch must not go on.
        loop {
            let renew = Command::RenewLeaderEpochs { broker_id: node_id };
            match command(driver, machine, renew).await? {
                Reply::Remaining(1..) => {}
                _ => break,
            }
        }
    }
    Ok(())
}

/// What other nodes and tools are told: the advertised address, or the one that was bound.
fn endpoints(listeners: &[Listener], bound: &[(String, SocketAddr)]) -> Vec<Endpoint> {
    let clients = listeners.iter().filter(|listener| !listener.is_controller);
    let endpoint = clients.map(|listener| {
        let address = bound.iter().find(|(name, _)| *name == listener.name);
        let port = address.map_or(listener.port, |(_, address)| address.port());
        let (host, port) = match &listener.advertised {
            // Port 0 was replaced by a free one when it was bound.
            Advertised::At { host, port: 0 } => (host.as_str(), port),
            Advertised::At { host, port } => (host.as_str(), *port),
            Advertised::Auto if listener.host.is_empty() => ("localhost", port),
            Advertised::Auto => (listener.host.as_str(), port),
        };
        Endpoint {
            name: Str::copy_from(&listener.name),
            host: Str::copy_from(host),
            port,
            security_protocol: listener.protocol.id(),
            ..Default::default()
        }
    });
    endpoint.collect()
}

/// A partition of the image without a log gets an empty one: it was made, and never written to,
/// when the process died.
async fn open_partitions<E: Env>(
    driver: &ControllerDriver<E>,
    image: &MetadataImage,
) -> Result<(), ControllerError> {
    for topic in image.topics.iter() {
        driver.lead(image, topic, topic.partitions.keys().copied()).await?;
    }
    Ok(())
}

/// Logs that the image does not know. What a deleted topic left behind when the process died goes
/// now, for its name may be in use again. Any other log is kept as it is and not served: deleting
/// it would make a lost metadata log a lost cluster.
async fn clear_strays<E: Env>(
    driver: &ControllerDriver<E>,
    image: &MetadataImage,
    removed_topics: &BTreeSet<Uuid>,
) -> Result<(), ControllerError> {
    for partition in driver.data_dir.partitions() {
        let id = partition.id();
        let is_known = image.topics.partition(id.topic_id, id.partition).is_some();
        if id.topic_id == Uuid::ONE || is_known {
            continue;
        }
        let (topic, partition) = (&id.topic, id.partition);
        if !removed_topics.contains(&id.topic_id) {
            tracing::warn!(
                %topic, topic_id = %id.topic_id, partition,
                "this log belongs to no topic of the cluster; it is kept and not served"
            );
            continue;
        }
        tracing::info!(%topic, topic_id = %id.topic_id, partition, "remove the log of a deleted topic");
        loop {
            match driver.data_dir.delete_partition(id.topic_id, partition) {
                Ok(_) => break,
                Err(LogError::Busy) => driver.data_dir.room().await,
                Err(error) => return Err(ControllerError::Log(error)),
            }
        }
    }
    Ok(())
}
