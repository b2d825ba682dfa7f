//! The one list of configuration keys. A key that is not here does not exist.

use std::sync::LazyLock;

use crate::definition::{KeyDef, Scope};

pub(crate) mod reason;
pub(crate) mod synonym;

pub mod client_metrics;
pub mod group;
pub mod group_level;
pub mod listener;
pub mod log;
pub mod node;
pub mod oauth;
pub mod ottla;
pub mod quorum;
pub mod quota;
pub mod remote;
pub mod replication;
pub mod sasl;
pub mod security;
pub mod share;
pub mod streams;
pub mod topic;
pub mod topic_level;
pub mod transaction;

pub mod removed;

const BROKER: &[&[KeyDef]] = &[
    node::NodeConfig::KEYS,
    listener::ListenerConfig::KEYS,
    log::LogConfig::KEYS,
    topic::TopicDefaults::KEYS,
    replication::ReplicationConfig::KEYS,
    group::GroupCoordinatorConfig::KEYS,
    transaction::TransactionConfig::KEYS,
    quorum::QuorumConfig::KEYS,
    quota::QuotaConfig::KEYS,
    share::ShareConfig::KEYS,
    streams::StreamsConfig::KEYS,
    remote::RemoteConfig::KEYS,
    security::SecurityConfig::KEYS,
    sasl::SaslConfig::KEYS,
    oauth::OauthConfig::KEYS,
    ottla::OttlaConfig::KEYS,
];

static BROKER_SORTED: LazyLock<Vec<&'static KeyDef>> = LazyLock::new(|| sorted(BROKER));
static TOPIC_SORTED: LazyLock<Vec<&'static KeyDef>> =
    LazyLock::new(|| sorted(&[topic_level::TopicConfig::KEYS]));
static GROUP_SORTED: LazyLock<Vec<&'static KeyDef>> =
    LazyLock::new(|| sorted(&[group_level::GroupConfig::KEYS]));
static CLIENT_METRICS_SORTED: LazyLock<Vec<&'static KeyDef>> =
    LazyLock::new(|| sorted(&[client_metrics::ClientMetricsConfig::KEYS]));

/// All keys of a scope, by name.
pub fn keys(scope: Scope) -> &'static [&'static KeyDef] {
    match scope {
        Scope::Broker => &BROKER_SORTED,
        Scope::Topic => &TOPIC_SORTED,
        Scope::Group => &GROUP_SORTED,
        Scope::ClientMetrics => &CLIENT_METRICS_SORTED,
    }
}

/// The row of a key.
pub fn find(scope: Scope, name: &str) -> Option<&'static KeyDef> {
    let rows = keys(scope);
    rows.binary_search_by(|row| row.name.cmp(name)).ok().map(|at| rows[at])
}

/// The row of a broker key, which may be set for one listener (`listener.name.<listener>.<key>`) and
/// there for one mechanism (`listener.name.<listener>.<mechanism>.<key>`).
pub fn find_broker(name: &str) -> Option<&'static KeyDef> {
    find(Scope::Broker, name).or_else(|| find(Scope::Broker, listener_base(name)?))
}

/// `ssl.client.auth` for `listener.name.external.ssl.client.auth`; nothing for other names.
pub fn listener_base(name: &str) -> Option<&str> {
    let (_, rest) = name.strip_prefix("listener.name.")?.split_once('.')?;
    let is_key = |name: &&str| find(Scope::Broker, name).is_some();
    Some(rest).filter(is_key).or_else(|| rest.split_once('.').map(|(_, rest)| rest).filter(is_key))
}

fn sorted(groups: &[&'static [KeyDef]]) -> Vec<&'static KeyDef> {
    let mut rows: Vec<&'static KeyDef> = groups.iter().flat_map(|group| group.iter()).collect();
    rows.sort_by_key(|row| row.name);
    rows
}
