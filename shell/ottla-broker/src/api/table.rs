//! THE list of APIs: one row each with its key, the versions that are advertised and served, and
//! who serves them. What is not here does not exist; what is here is complete.

use std::future::Future;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::{ApiKey, Request as _, decode_request, messages};

use super::answer::{self, Answer, RequestError};
use super::context::RequestContext;
use crate::rooms::Rooms;

/// One API.
pub(crate) struct Row<E: Env> {
    pub(crate) key: ApiKey,
    pub(crate) versions: RangeInclusive<i16>,
    pub(crate) served_on: On,
    /// Decided by the active controller: a broker that is not the one hands the request on.
    pub(crate) forwarded: bool,
    pub(crate) call: Call<E>,
}

/// The listeners an API is served on: those of clients and brokers, or those named in
/// `controller.listener.names`. On the others it does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Brokers,
    Controllers,
    Both,
}

impl On {
    pub(crate) fn includes(self, is_controller: bool) -> bool {
        match self {
            On::Brokers => !is_controller,
            On::Controllers => is_controller,
            On::Both => true,
        }
    }
}

/// How an API is served.
pub(crate) enum Call<E: Env> {
    /// `api/produce.rs`, inline in the connection's task; answered once durable.
    Produce,
    /// `api/fetch.rs`, inline in the connection's task; waits in its session.
    Fetch,
    /// All others: a future that ends with the answer.
    Plain(PlainCall<E>),
}

/// Decodes the body, calls the handler, encodes the answer.
pub(crate) type PlainCall<E> =
    for<'a> fn(&'a Arc<Rooms<E>>, &'a mut RequestContext, Bytes) -> PlainFuture<'a>;
/// The future of a [`PlainCall`].
pub(crate) type PlainFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Answer, RequestError>> + Send + 'a>>;

/// A row for `super::<module>::handle(rooms, context, <Request>) -> <Response>`.
macro_rules! plain {
    ($request:ident, $versions:expr, $module:ident) => {
        plain!($request, $versions, $module, On::Brokers)
    };
    ($request:ident, $versions:expr, $module:ident, $served_on:expr) => {
        plain!($request, $versions, $module, $served_on, false)
    };
    ($request:ident, $versions:expr, $module:ident, $served_on:expr, $forwarded:expr) => {
        Row {
            key: messages::$request::KEY,
            versions: $versions,
            served_on: $served_on,
            forwarded: $forwarded,
            call: Call::Plain(|rooms, context, body| {
                Box::pin(async move {
                    let context = &*context;
                    let request = decode_request::<messages::$request>(body, context.version)?;
                    let response = super::$module::handle(rooms, context, request).await;
                    answer::encode(messages::$request::KEY, context, &response)
                })
            }),
        }
    };
}

/// A row for a request that the active controller decides, on whichever node it arrives.
macro_rules! decided {
    ($request:ident, $versions:expr, $served_on:expr) => {
        Row {
            key: messages::$request::KEY,
            versions: $versions,
            served_on: $served_on,
            // What only brokers and controllers ask, they ask the active controller themselves.
            forwarded: matches!($served_on, On::Both),
            call: Call::Plain(|rooms, context, body| {
                Box::pin(super::forward::decide::<messages::$request, E>(rooms, context, body))
            }),
        }
    };
}

struct Table<E>(PhantomData<E>);

impl<E: Env> Table<E> {
    // The two hot ones first: the look-up walks the list.
    const ROWS: &'static [Row<E>] = &[
        Row {
            key: ApiKey::Produce,
            versions: 0..=13,
            served_on: On::Brokers,
            forwarded: false,
            call: Call::Produce,
        },
        Row {
            key: ApiKey::Fetch,
            versions: 4..=18,
            served_on: On::Both,
            forwarded: false,
            call: Call::Fetch,
        },
        Row {
            key: ApiKey::ApiVersions,
            versions: 0..=5,
            served_on: On::Both,
            forwarded: false,
            call: Call::Plain(|rooms, context, body| {
                Box::pin(async move { super::api_versions::serve(rooms, context, body) })
            }),
        },
        plain!(ListOffsetsRequest, 0..=11, list_offsets),
        plain!(DeleteRecordsRequest, 0..=2, delete_records),
        plain!(InitProducerIdRequest, 0..=5, init_producer_id),
        plain!(OffsetForLeaderEpochRequest, 2..=4, offset_for_leader_epoch),
        plain!(DescribeLogDirsRequest, 1..=5, describe_log_dirs),
        plain!(AlterReplicaLogDirsRequest, 1..=2, alter_replica_log_dirs),
        plain!(DescribeProducersRequest, 0..=0, describe_producers),
        plain!(MetadataRequest, 0..=13, metadata),
        decided!(CreateTopicsRequest, 2..=7, On::Both),
        decided!(DeleteTopicsRequest, 1..=6, On::Both),
        decided!(CreatePartitionsRequest, 0..=3, On::Both),
        plain!(DescribeConfigsRequest, 1..=4, describe_configs, On::Both),
        decided!(AlterConfigsRequest, 0..=2, On::Both),
        decided!(IncrementalAlterConfigsRequest, 0..=1, On::Both),
        plain!(ListConfigResourcesRequest, 0..=1, list_config_resources),
        plain!(DescribeClusterRequest, 0..=2, describe_cluster, On::Both),
        plain!(DescribeTopicPartitionsRequest, 0..=0, describe_topic_partitions),
        plain!(SaslHandshakeRequest, 0..=1, sasl_handshake, On::Both),
        plain!(SaslAuthenticateRequest, 0..=2, sasl_authenticate, On::Both),
        plain!(FindCoordinatorRequest, 0..=6, find_coordinator),
        plain!(JoinGroupRequest, 0..=9, join_group),
        plain!(SyncGroupRequest, 0..=5, sync_group),
        plain!(HeartbeatRequest, 0..=4, heartbeat),
        plain!(LeaveGroupRequest, 0..=5, leave_group),
        plain!(OffsetCommitRequest, 2..=10, offset_commit),
        plain!(OffsetFetchRequest, 1..=10, offset_fetch),
        plain!(OffsetDeleteRequest, 0..=0, offset_delete),
        plain!(ListGroupsRequest, 0..=5, list_groups),
        plain!(DescribeGroupsRequest, 0..=6, describe_groups),
        plain!(DeleteGroupsRequest, 0..=3, delete_groups),
        plain!(VoteRequest, 0..=2, vote, On::Controllers),
        plain!(BeginQuorumEpochRequest, 0..=1, begin_quorum_epoch, On::Controllers),
        plain!(EndQuorumEpochRequest, 0..=1, end_quorum_epoch, On::Controllers),
        plain!(FetchSnapshotRequest, 0..=1, fetch_snapshot, On::Controllers),
        plain!(DescribeQuorumRequest, 0..=2, describe_quorum, On::Both, true),
        plain!(AddRaftVoterRequest, 0..=1, add_raft_voter, On::Both, true),
        plain!(RemoveRaftVoterRequest, 0..=0, remove_raft_voter, On::Both, true),
        plain!(UpdateRaftVoterRequest, 0..=0, update_raft_voter, On::Controllers),
        decided!(ElectLeadersRequest, 0..=2, On::Both),
        decided!(AlterPartitionReassignmentsRequest, 0..=1, On::Both),
        decided!(ListPartitionReassignmentsRequest, 0..=0, On::Both),
        decided!(UpdateFeaturesRequest, 0..=2, On::Both),
        decided!(UnregisterBrokerRequest, 0..=0, On::Both),
        decided!(UnregisterControllerRequest, 0..=0, On::Both),
        decided!(BrokerRegistrationRequest, 0..=4, On::Controllers),
        decided!(BrokerHeartbeatRequest, 0..=2, On::Controllers),
        decided!(AlterPartitionRequest, 2..=3, On::Controllers),
        decided!(AllocateProducerIdsRequest, 0..=0, On::Controllers),
        decided!(AssignReplicasToDirsRequest, 0..=0, On::Controllers),
        decided!(ControllerRegistrationRequest, 0..=0, On::Controllers),
        Row {
            key: ApiKey::Envelope,
            versions: 0..=0,
            served_on: On::Controllers,
            forwarded: false,
            call: Call::Plain(|rooms, context, body| {
                Box::pin(super::envelope::serve(rooms, context, body))
            }),
        },
    ];
}

/// Every API, in no particular order.
pub(crate) fn rows<E: Env>() -> &'static [Row<E>] {
    Table::<E>::ROWS
}

/// The row of an API, if it is served on such a listener.
pub(crate) fn row<E: Env>(key: ApiKey, is_controller: bool) -> Option<&'static Row<E>> {
    rows::<E>().iter().find(|row| row.key == key && row.served_on.includes(is_controller))
}

#[cfg(test)]
mod tests;
