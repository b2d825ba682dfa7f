//! A cluster as one thing to talk to: connections by broker, metadata, coordinators, retries.
//!
//! Knows nothing of producing, consuming or administration; those stand on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::{Env, MonoTime};
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest};
use ottla_protocol::{ErrorCode, Request, Str};
use parking_lot::Mutex;

use crate::backoff::Backoff;
use crate::cluster::{Broker, Cluster};
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::options::ClientOptions;

/// A client of one cluster. Cheap to clone; clones share connections and metadata.
pub struct Client<E: Env> {
    inner: Arc<Inner<E>>,
}

struct Inner<E: Env> {
    env: E,
    options: ClientOptions,
    cluster: Mutex<Known>,
    connections: Mutex<Slots<E>>,
}

/// The cluster as last heard of, and when each topic was.
#[derive(Default)]
struct Known {
    cluster: Arc<Cluster>,
    heard: BTreeMap<Str, MonoTime>,
}

type Slots<E> = BTreeMap<(Peer, Lane), Arc<Slot<E>>>;

/// Holds the connection to one peer, or the right to open it.
struct Slot<E: Env> {
    connection: tokio::sync::Mutex<Option<Arc<Connection<E>>>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Peer {
    Bootstrap(usize),
    Broker { id: i32, address: String },
}

/// Which of several connections to one broker: answers come in order on each, so what waits long
/// must not stand before what is urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Lane(pub u64);

/// Whom a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Whoever answers.
    Any,
    /// The broker that takes changes.
    Controller,
    /// One broker.
    Broker(i32),
}

/// What a coordinator coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoordinatorKind {
    Group,
    Transaction,
}

impl<E: Env> Clone for Client<E> {
    fn clone(&self) -> Client<E> {
        Client { inner: self.inner.clone() }
    }
}

impl<E: Env> Client<E> {
    /// A client; nothing is connected yet.
    pub fn new(env: E, options: ClientOptions) -> Client<E> {
        Client {
            inner: Arc::new(Inner {
                env,
                options,
                cluster: Mutex::new(Known::default()),
                connections: Mutex::new(BTreeMap::new()),
            }),
        }
    }

    /// A client that has reached the cluster.
    ///
    /// # Errors
    /// If no bootstrap address leads to a broker, at the first try.
    pub async fn connect(env: E, options: ClientOptions) -> Result<Client<E>> {
        let client = Client::new(env, options);
        client.ask_metadata(Some(&[]), false).await?;
        Ok(client)
    }

    /// The world it lives in.
    pub fn env(&self) -> &E {
        &self.inner.env
    }

    /// Its settings.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// The cluster as last heard of; see [`Client::metadata`] to ask.
    pub fn cluster(&self) -> Arc<Cluster> {
        self.inner.cluster.lock().cluster.clone()
    }

    /// One request and its answer, without retries. `patience` is what the broker was asked to wait.
    ///
    /// # Errors
    /// Whatever kept the answer from coming; error codes in it are the caller's to see.
    pub async fn call<R: Request>(
        &self,
        target: Target,
        lane: Lane,
        request: &R,
        patience: Duration,
    ) -> Result<R::Response> {
        self.connection(target, lane).await?.call(request, patience).await
    }

    /// The version that a request to a target would have.
    ///
    /// # Errors
    /// If there is no connection, or no version in common.
    pub async fn version<R: Request>(&self, target: Target) -> Result<i16> {
        self.connection(target, Lane::default()).await?.version_of::<R>()
    }

    /// One request on the common lane, repeated while `verdict` finds a retriable error in the
    /// answer or none comes, within the API time-out. After each failure metadata is asked for
    /// again, so that a new controller is found.
    ///
    /// # Errors
    /// The last failure.
    pub async fn retry<R: Request>(
        &self,
        target: Target,
        request: &R,
        verdict: impl Fn(&R::Response) -> Result<()>,
    ) -> Result<R::Response> {
        let mut backoff = self.backoff();
        loop {
            let answered = self.call(target, Lane::default(), request, Duration::ZERO).await;
            let error = match answered.and_then(|answer| verdict(&answer).map(|()| answer)) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            backoff.wait(error).await?;
            if target == Target::Controller {
                // A failure here shows again, and better, in the next round.
                let _ = self.ask_metadata(Some(&[]), false).await;
            }
        }
    }

    /// One request to whoever coordinates `key`, repeated like [`Client::retry`]. Before each try the
    /// coordinator is looked for anew: it moves when its node dies.
    ///
    /// # Errors
    /// The last failure.
    pub(crate) async fn retry_coordinator<R: Request>(
        &self,
        kind: CoordinatorKind,
        key: &Str,
        request: &R,
        verdict: impl Fn(&R::Response) -> Result<()>,
    ) -> Result<(R::Response, i32)> {
        let mut backoff = self.backoff();
        loop {
            let answered = async {
                let coordinator = self.coordinator(kind, key).await?;
                let target = Target::Broker(coordinator);
                let answer = self.call(target, Lane::default(), request, Duration::ZERO).await?;
                verdict(&answer).map(|()| (answer, coordinator))
            };
            match answered.await {
                Ok(answer) => return Ok(answer),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    /// Retries within the API time-out.
    pub(crate) fn backoff(&self) -> Backoff<'_, E> {
        Backoff::new(&self.inner.env, &self.inner.options, self.inner.options.api_timeout)
    }

    /// Asks for topics (all of them with `None`) and returns the cluster with them.
    ///
    /// # Errors
    /// If no broker answers.
    pub async fn metadata(&self, topics: Option<&[Str]>) -> Result<Arc<Cluster>> {
        let mut backoff = self.backoff();
        loop {
            match self.ask_metadata(topics, false).await {
                Ok(cluster) => return Ok(cluster),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    /// A cluster that knows these topics, asked for only if what is known is missing or too old.
    /// With `create`, a broker that may create topics on first use does.
    ///
    /// # Errors
    /// If one of them is not there (after waiting, where it may be coming).
    pub async fn topics(&self, names: &[Str], create: bool) -> Result<Arc<Cluster>> {
        if let Some(cluster) = self.fresh(names) {
            return Ok(cluster);
        }
        let mut backoff = self.backoff();
        loop {
            let asked = self.ask_metadata(Some(names), create).await;
            match asked.and_then(|cluster| all_there(&cluster, names).map(|()| cluster)) {
                Ok(cluster) => return Ok(cluster),
                // Without creation a missing topic does not come by waiting.
                Err(error)
                    if !create && error.code() == Some(ErrorCode::UnknownTopicOrPartition) =>
                {
                    return Err(error);
                }
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    /// Lets the next [`Client::topics`] ask again: a leader turned out to be another.
    pub fn forget(&self, topic: &Str) {
        self.inner.cluster.lock().heard.remove(topic);
    }

    /// The broker that coordinates a group or a transactional id.
    ///
    /// # Errors
    /// If none is found within the API time-out.
    pub async fn coordinator(&self, kind: CoordinatorKind, key: &Str) -> Result<i32> {
        let key_type = match kind {
            CoordinatorKind::Group => 0,
            CoordinatorKind::Transaction => 1,
        };
        let mut backoff = self.backoff();
        loop {
            match self.find_coordinator(key_type, key).await {
                Ok(broker) => return Ok(broker),
                Err(error) => backoff.wait(error).await?,
            }
        }
    }

    async fn find_coordinator(&self, key_type: i8, key: &Str) -> Result<i32> {
        let connection = self.connection(Target::Any, Lane::default()).await?;
        // From version 4 on the keys are a list.
        let batched = connection.version_of::<FindCoordinatorRequest>()? >= 4;
        let request = FindCoordinatorRequest {
            key: if batched { Str::default() } else { key.clone() },
            key_type,
            coordinator_keys: if batched { vec![key.clone()] } else { Vec::new() },
            ..FindCoordinatorRequest::default()
        };
        let response = connection.call(&request, Duration::ZERO).await?;
        let found = coordinator_in(response);
        let doing = || format!("find the coordinator of \"{key}\"");
        Error::check(found.error_code, doing, found.message.as_deref())?;
        if !self.cluster().brokers.contains_key(&found.broker.id) {
            let mut known = self.inner.cluster.lock();
            let mut cluster = Cluster::clone(&known.cluster);
            cluster.brokers.insert(found.broker.id, found.broker.clone());
            known.cluster = Arc::new(cluster);
        }
        Ok(found.broker.id)
    }

    pub(crate) fn fresh(&self, names: &[Str]) -> Option<Arc<Cluster>> {
        let (now, known) = (self.inner.env.now(), self.inner.cluster.lock());
        let age_max = self.inner.options.metadata_max_age;
        let fresh = |name: &Str| known.heard.get(name).is_some_and(|at| now.since(*at) < age_max);
        let fresh = names.iter().all(|name| fresh(name) && known.cluster.topic(name).is_some());
        fresh.then(|| known.cluster.clone())
    }

    /// Asks once. An empty list asks for brokers only.
    pub(crate) async fn ask_metadata(
        &self,
        topics: Option<&[Str]>,
        create: bool,
    ) -> Result<Arc<Cluster>> {
        let asked = topics.map(|names| {
            let topic = |name: &Str| MetadataRequestTopic {
                name: Some(name.clone()),
                ..MetadataRequestTopic::default()
            };
            names.iter().map(topic).collect()
        });
        let request = MetadataRequest {
            topics: asked,
            allow_auto_topic_creation: create,
            ..MetadataRequest::default()
        };
        let response = self.call(Target::Any, Lane::default(), &request, Duration::ZERO).await?;
        Error::check(response.error_code, || "learn of the cluster".to_owned(), None)?;
        let now = self.inner.env.now();
        let mut known = self.inner.cluster.lock();
        let mut cluster = Cluster::clone(&known.cluster);
        if topics.is_none() {
            cluster.topics.clear();
        }
        let heard: Vec<Str> = response.topics.iter().filter_map(|t| t.name.clone()).collect();
        cluster.update(response);
        known.heard.extend(heard.into_iter().map(|name| (name, now)));
        known.cluster = Arc::new(cluster);
        Ok(known.cluster.clone())
    }

    /// A working connection to the target.
    pub(crate) async fn connection(
        &self,
        target: Target,
        lane: Lane,
    ) -> Result<Arc<Connection<E>>> {
        let cluster = self.cluster();
        let broker = match target {
            Target::Any => return self.any_connection(&cluster, lane).await,
            Target::Controller => cluster.controller_id,
            Target::Broker(id) => id,
        };
        match cluster.brokers.get(&broker) {
            Some(broker) => self.to_broker(broker, lane).await,
            // Brokers that are clients' controllers may be hidden; any broker forwards.
            None if target == Target::Controller => self.any_connection(&cluster, lane).await,
            None => Err(Error::Disconnected {
                address: format!("broker {broker}"),
                reason: "the cluster no longer lists it".to_owned(),
            }),
        }
    }

    /// Known brokers first, beginning anywhere, then the bootstrap addresses.
    async fn any_connection(&self, cluster: &Cluster, lane: Lane) -> Result<Arc<Connection<E>>> {
        let brokers: Vec<&Broker> = cluster.brokers.values().collect();
        let start = self.inner.env.random_u64() as usize % brokers.len().max(1);
        for at in 0..brokers.len() {
            let broker = brokers[(start + at) % brokers.len()];
            if let Ok(connection) = self.to_broker(broker, lane).await {
                return Ok(connection);
            }
        }
        let options = &self.inner.options;
        let mut failure =
            Error::Invalid("no bootstrap address was given (-b host:port)".to_owned());
        for (index, address) in options.bootstrap.iter().enumerate() {
            match self.to_peer(Peer::Bootstrap(index), address, lane).await {
                Ok(connection) => return Ok(connection),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    async fn to_broker(&self, broker: &Broker, lane: Lane) -> Result<Arc<Connection<E>>> {
        let address = broker.address();
        self.to_peer(Peer::Broker { id: broker.id, address: address.clone() }, &address, lane).await
    }

    /// The peer's connection on a lane, opened by the first who asks while others wait.
    async fn to_peer(&self, peer: Peer, address: &str, lane: Lane) -> Result<Arc<Connection<E>>> {
        let slot = {
            let mut connections = self.inner.connections.lock();
            let empty = || Arc::new(Slot { connection: tokio::sync::Mutex::new(None) });
            connections.entry((peer, lane)).or_insert_with(empty).clone()
        };
        let mut held = slot.connection.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| !connection.is_failed()) {
            return Ok(connection.clone());
        }
        let opened = Connection::open(&self.inner.env, address, &self.inner.options).await?;
        Ok(held.insert(Arc::new(opened)).clone())
    }

    /// Closes the connections of a lane that is no longer used.
    pub(crate) fn close_lane(&self, lane: Lane) {
        self.inner.connections.lock().retain(|(_, used), _| *used != lane);
    }

    /// A lane that nobody else uses.
    pub(crate) fn new_lane(&self) -> Lane {
        Lane(self.inner.env.random_u64() | 1)
    }
}

/// The first topic that is not there, as an error.
fn all_there(cluster: &Cluster, names: &[Str]) -> Result<()> {
    for name in names {
        let code = match cluster.topics.get(name) {
            Some(topic) => topic.error_code,
            None => ErrorCode::UnknownTopicOrPartition.code(),
        };
        Error::check(code, || format!("find topic \"{name}\""), None)?;
    }
    Ok(())
}

struct FoundCoordinator {
    broker: Broker,
    error_code: i16,
    message: Option<String>,
}

fn coordinator_in(response: FindCoordinatorResponse) -> FoundCoordinator {
    let (error_code, message, id, host, port) = match response.coordinators.into_iter().next() {
        Some(c) => (c.error_code, c.error_message, c.node_id, c.host, c.port),
        None => (
            response.error_code,
            response.error_message,
            response.node_id,
            response.host,
            response.port,
        ),
    };
    FoundCoordinator {
        broker: Broker { id, host, port, rack: None },
        error_code,
        message: message.map(|text| text.to_string()),
    }
}
