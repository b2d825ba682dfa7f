//! Drives the controller machine: takes commands, writes what the machine decides to the metadata
//! log, does what follows from it, and answers once it is durable. Decides nothing itself.

use std::net::SocketAddr;
use std::sync::Arc;

use ottla_env::Env;
use ottla_metadata::controller::{
    Command, Controller, Decision, NewTopic, ProducerIdBlock, Refusal, Reply, Soft,
};
use ottla_metadata::image::MetadataImage;
use ottla_plant::{Plant, planted};
use ottla_protocol::ErrorCode;
use tokio::sync::{Mutex, OnceCell, watch};

use crate::log::DataDir;
use crate::node::{ConfigCell, NodeIdentity};
use crate::partition::registry::Registry;

mod effects;
mod error;
mod log_config;
mod metadata_log;
mod start;

pub(crate) use error::ControllerError;

use metadata_log::MetadataLog;

/// The controller of this node.
pub(crate) struct ControllerDriver<E: Env> {
    env: E,
    data_dir: DataDir<E>,
    registry: Arc<Registry<E>>,
    config: ConfigCell,
    node: NodeIdentity,
    image: watch::Sender<Arc<MetadataImage>>,
    /// Set by `start`; commands one after the other.
    machine: OnceCell<Mutex<Machine<E>>>,
    broker_epoch: OnceCell<i64>,
    /// Producer ids that belong to this broker and are not given out yet.
    producer_ids: Mutex<ProducerIdBlock>,
}

/// The machine and the log it is replayed from. They move together.
struct Machine<E: Env> {
    controller: Controller,
    soft: Soft,
    log: MetadataLog<E>,
    /// Something was written and not carried out: nothing more is decided until a restart.
    broken: bool,
}

impl<E: Env> ControllerDriver<E> {
    /// A controller that has not read its log yet; see [`ControllerDriver::start`].
    pub(crate) fn new(
        env: E,
        data_dir: DataDir<E>,
        registry: Arc<Registry<E>>,
        config: ConfigCell,
        node: NodeIdentity,
    ) -> Arc<Self> {
        Arc::new(Self {
            env,
            data_dir,
            registry,
            config,
            node,
            image: watch::Sender::new(Arc::default()),
            machine: OnceCell::new(),
            broker_epoch: OnceCell::new(),
            producer_ids: Mutex::new(ProducerIdBlock { first: 0, length: 0 }),
        })
    }

    /// Reads the metadata log, makes a new cluster where there is none, registers this broker and
    /// opens its partitions. `bound` has the real port of each listener.
    pub(crate) async fn start(
        &self,
        bound: &[(String, SocketAddr)],
    ) -> Result<(), ControllerError> {
        start::start(self, bound).await
    }

    /// The cluster as it is now.
    pub(crate) fn image(&self) -> Arc<MetadataImage> {
        Arc::clone(&self.image.borrow())
    }

    /// Sees every later image too.
    pub(crate) fn watch_image(&self) -> watch::Receiver<Arc<MetadataImage>> {
        self.image.subscribe()
    }

    /// This life of the broker.
    pub(crate) fn broker_epoch(&self) -> i64 {
        self.broker_epoch.get().copied().unwrap_or(-1)
    }

    /// Has a command decided, and carries the decision out. When this returns, its records are
    /// durable, the image shows them, and new partitions can be written to.
    pub(crate) async fn submit(&self, command: Command) -> Result<Reply, ErrorCode> {
        let machine = self.machine.get().ok_or(ErrorCode::CoordinatorNotAvailable)?;
        let (reply, lsn) = {
            let mut machine = machine.lock().await;
            self.step(&mut machine, command).await?
        };
        if let Some(lsn) = lsn
            && !planted(Plant::MetadataAnsweredEarly)
        {
            self.wait_durable(lsn).await?;
        }
        Ok(reply)
    }

    /// Makes the topics that do not exist yet. One answer per topic, in order.
    pub(crate) async fn ensure_topics(&self, topics: Vec<NewTopic>) -> Vec<Result<(), Refusal>> {
        let asked = topics.len();
        let refused = |code| vec![Err(Refusal::bare(code)); asked];
        match self.submit(Command::EnsureTopics(topics)).await {
            Ok(Reply::EnsureTopics(answers)) => answers,
            Ok(_) => refused(ErrorCode::UnknownServerError),
            Err(code) => refused(code),
        }
    }

    /// An id no producer of this cluster has.
    pub(crate) async fn next_producer_id(&self) -> Result<i64, ErrorCode> {
        let mut block = self.producer_ids.lock().await;
        if block.length == 0 {
            let (broker_id, broker_epoch) = (self.node.node_id, self.broker_epoch());
            let command = Command::AllocateProducerIds { broker_id, broker_epoch };
            *block = match self.submit(command).await? {
                Reply::ProducerIds(block) => block,
                Reply::Refused(refusal) => return Err(refusal.code),
                _ => return Err(ErrorCode::UnknownServerError),
            };
        }
        let id = block.first;
        *block = ProducerIdBlock { first: id + 1, length: block.length - 1 };
        Ok(id)
    }

    async fn wait_durable(&self, lsn: u64) -> Result<(), ErrorCode> {
        self.data_dir.wait_durable(lsn).await.map_err(|_| ErrorCode::KafkaStorageError)
    }

    /// One command: decide, try the records on a copy, write them, do what follows, publish.
    async fn step(
        &self,
        machine: &mut Machine<E>,
        command: Command,
    ) -> Result<(Reply, Option<u64>), ErrorCode> {
        if machine.broken {
            return Err(ErrorCode::KafkaStorageError);
        }
        machine.soft.config = self.config.get();
        let now_ms = self.env.wall_ms();
        let Decision { records, reply } =
            machine.controller.handle(&mut machine.soft, now_ms, command);
        if records.is_empty() {
            return Ok((reply, None));
        }
        // The copy shares the image's memory, so this costs what the records change.
        let mut next = machine.controller.clone();
        for record in &records {
            if let Err(error) = next.replay(record) {
                let record = record.name();
                tracing::error!(%error, record, "a decided record does not fit; nothing was written");
                return Err(ErrorCode::UnknownServerError);
            }
        }
        let logged = if planted(Plant::MetadataNotLogged) { &[] } else { &records[..] };
        let written = machine.log.append(&self.env, &self.data_dir, logged).await;
        let lsn = written.map_err(|error| {
            tracing::error!(%error, "cannot write to the metadata log");
            error.kafka_code()
        })?;
        machine.controller = next;
        let image = Arc::new(machine.controller.image().clone());
        if let Err(error) = self.carry_out(&image, &records).await {
            tracing::error!(%error, "cannot carry out a change of the cluster; restart this node");
            machine.broken = true;
            self.image.send_replace(image);
            return Err(ErrorCode::KafkaStorageError);
        }
        self.image.send_replace(image);
        Ok((reply, Some(lsn)))
    }
}
