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
    pub(crate) call: Call<E>,
}

/// The listeners that an API is served on: Kafka's `listeners` of each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    /// Those that clients and other brokers use.
    Brokers,
    /// Those named in `controller.listener.names`.
    #[expect(dead_code, reason = "the quorum's own requests are not served yet")]
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
        Row {
            key: messages::$request::KEY,
            versions: $versions,
            served_on: $served_on,
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

struct Table<E>(PhantomData<E>);

impl<E: Env> Table<E> {
    // The two hot ones first: the look-up walks the list.
    const ROWS: &'static [Row<E>] = &[
        Row { key: ApiKey::Produce, versions: 0..=13, served_on: On::Brokers, call: Call::Produce },
        Row { key: ApiKey::Fetch, versions: 4..=18, served_on: On::Brokers, call: Call::Fetch },
        Row {
            key: ApiKey::ApiVersions,
            versions: 0..=5,
            served_on: On::Both,
            call: Call::Plain(|rooms, context, body| {
                Box::pin(async move { super::api_versions::serve(rooms, context, body) })
            }),
        },
        plain!(ListOffsetsRequest, 0..=11, list_offsets),
        plain!(DeleteRecordsRequest, 0..=2, delete_records),
        plain!(InitProducerIdRequest, 0..=5, init_producer_id),
        plain!(OffsetForLeaderEpochRequest, 2..=4, offset_for_leader_epoch),
        plain!(DescribeLogDirsRequest, 1..=5, describe_log_dirs),
        plain!(DescribeProducersRequest, 0..=0, describe_producers),
        plain!(MetadataRequest, 0..=13, metadata),
        plain!(CreateTopicsRequest, 2..=7, create_topics, On::Both),
        plain!(DeleteTopicsRequest, 1..=6, delete_topics, On::Both),
        plain!(CreatePartitionsRequest, 0..=3, create_partitions, On::Both),
        plain!(DescribeConfigsRequest, 1..=4, describe_configs, On::Both),
        plain!(AlterConfigsRequest, 0..=2, alter_configs, On::Both),
        plain!(IncrementalAlterConfigsRequest, 0..=1, incremental_alter_configs, On::Both),
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
    ];
}

/// Every API, in no particular order.
pub(crate) fn rows<E: Env>() -> &'static [Row<E>] {
    Table::<E>::ROWS
}

/// The row of an API, if it is served on this kind of listener.
pub(crate) fn row<E: Env>(key: ApiKey, is_controller: bool) -> Option<&'static Row<E>> {
    rows::<E>().iter().find(|row| row.key == key && row.served_on.includes(is_controller))
}

#[cfg(test)]
mod tests;
