//! One fetcher's connection to its leader, and the session on it.

use std::sync::Arc;
use std::time::Duration;

use ottla_client::{Connection, Error};
use ottla_env::Env;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::fetch_request::ReplicaState;
use ottla_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use ottla_protocol::messages::{
    FetchRequest, FetchResponse, ListOffsetsRequest, ListOffsetsResponse,
};

use super::Fetchers;
use super::members::Plan;
use super::session::{Session, Terms};
use crate::partition::registry::Partition;

/// Timestamps that stand for the ends of a log.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
/// First version that tells the life of the follower's broker.
const WITH_REPLICA_STATE: i16 = 15;
/// A negative number as version 15 has it where the older field is not written.
const NO_REPLICA: i32 = -1;

/// See the module.
pub(super) struct Line<E: Env> {
    connection: Option<Arc<Connection<E>>>,
    pub(super) session: Session,
}

impl<E: Env> Line<E> {
    pub(super) fn closed() -> Line<E> {
        Line { connection: None, session: Session::default() }
    }

    pub(super) fn close(&mut self) {
        self.connection = None;
        self.session.forget();
    }

    /// Asks for everything in the plan, in the words of the session. The version is that of the answer.
    pub(super) async fn fetch(
        &mut self,
        fetchers: &Fetchers<E>,
        leader: i32,
        plan: &Plan<E>,
    ) -> Result<(FetchResponse, i16), Error> {
        let connection = self.connected(fetchers, leader).await?;
        let version = connection.version_of::<FetchRequest>()?;
        let settings = &fetchers.config.get().replication;
        let me = fetchers.office.me();
        let mut request = FetchRequest {
            max_wait_ms: patience_ms(settings.replica_fetch_wait_max_ms, plan.closed_for),
            min_bytes: settings.replica_fetch_min_bytes,
            max_bytes: settings.replica_fetch_response_max_bytes,
            ..FetchRequest::default()
        };
        if version >= WITH_REPLICA_STATE {
            request.replica_id = NO_REPLICA;
            request.replica_state = ReplicaState {
                replica_id: me.id,
                replica_epoch: me.broker_epoch,
                ..ReplicaState::default()
            };
        } else {
            request.replica_id = me.id;
        }
        let terms = Terms { version, partition_max_bytes: settings.replica_fetch_max_bytes };
        self.session.ask(&mut request, &plan.due, &terms);
        let patience = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let response = connection.call(&request, patience).await?;
        if response.error_code == 0 {
            self.session.answered(response.session_id);
        } else {
            self.session.forget();
        }
        Ok((response, version))
    }

    /// Where the leader's log of a partition begins and ends.
    pub(super) async fn bounds(
        &mut self,
        fetchers: &Fetchers<E>,
        leader: i32,
        partition: &Partition<E>,
        leader_epoch: i32,
    ) -> Result<(i64, i64), Error> {
        let log_start = self.offset(fetchers, leader, partition, leader_epoch, EARLIEST).await?;
        let log_end = self.offset(fetchers, leader, partition, leader_epoch, LATEST).await?;
        Ok((log_start, log_end))
    }

    async fn offset(
        &mut self,
        fetchers: &Fetchers<E>,
        leader: i32,
        partition: &Partition<E>,
        leader_epoch: i32,
        timestamp: i64,
    ) -> Result<i64, Error> {
        let connection = self.connected(fetchers, leader).await?;
        let asked = ListOffsetsPartition {
            partition_index: partition.index(),
            current_leader_epoch: leader_epoch,
            timestamp,
            ..ListOffsetsPartition::default()
        };
        let topic = ListOffsetsTopic {
            name: partition.topic().clone(),
            partitions: vec![asked],
            ..ListOffsetsTopic::default()
        };
        let request = ListOffsetsRequest {
            replica_id: fetchers.office.node_id(),
            topics: vec![topic],
            ..ListOffsetsRequest::default()
        };
        let response: ListOffsetsResponse = connection.call(&request, Duration::ZERO).await?;
        let answer = response.topics.first().and_then(|topic| topic.partitions.first());
        match answer {
            Some(answer) if answer.error_code == 0 => Ok(answer.offset),
            Some(answer) => {
                let code = ErrorCode::from_code_or_unknown(answer.error_code);
                Err(Error::Invalid(format!("the leader answered {code}")))
            }
            None => Err(Error::Invalid("the leader left out what was asked".to_owned())),
        }
    }

    async fn connected(
        &mut self,
        fetchers: &Fetchers<E>,
        leader: i32,
    ) -> Result<Arc<Connection<E>>, Error> {
        if let Some(connection) = self.connection.as_ref().filter(|known| !known.is_failed()) {
            return Ok(Arc::clone(connection));
        }
        self.close();
        let Some(address) = fetchers.address(leader) else {
            let what = format!("broker {leader} tells no address for other brokers");
            return Err(Error::Invalid(what));
        };
        let options = fetchers.client_options();
        let connection = Arc::new(Connection::open(&fetchers.env, &address, &options).await?);
        self.connection = Some(Arc::clone(&connection));
        Ok(connection)
    }
}

/// How long the leader may wait for something to send: no longer than a throttle holds the rest back.
fn patience_ms(usual: i32, closed_for: Option<i64>) -> i32 {
    let closed_for = closed_for.and_then(|wait| i32::try_from(wait).ok());
    closed_for.map_or(usual, |wait| usual.min(wait))
}
