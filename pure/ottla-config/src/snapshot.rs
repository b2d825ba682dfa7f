//! The typed configuration of a node, built from its layers in one go. Never changes: a change of a
//! dynamic value is a new snapshot.

mod rules;

use std::fmt;

use crate::address::{HostPort, is_wildcard};
use crate::definition::{ConfigSource, Effect, Scope};
use crate::invalid::Invalid;
use crate::keys::group::GroupCoordinatorConfig;
use crate::keys::group_level::GroupConfig;
use crate::keys::listener::ListenerConfig;
use crate::keys::log::LogConfig;
use crate::keys::node::NodeConfig;
use crate::keys::ottla::OttlaConfig;
use crate::keys::quorum::QuorumConfig;
use crate::keys::replication::ReplicationConfig;
use crate::keys::security::SecurityConfig;
use crate::keys::topic::TopicDefaults;
use crate::keys::topic_level::TopicConfig;
use crate::keys::{self, removed};
use crate::layers::Layers;
use crate::list;
use crate::listener::{self, Advertised, Listener, ListenerTexts};
use crate::reader::Reader;
use crate::resolve::{self, Overrides};
use crate::setting::{Origin, Setting};
use crate::value::{self, ConfigValue};

/// Everything a broker and controller read of their configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct BrokerConfig {
    /// `node.id`, or `broker.id` where only that is set.
    pub node_id: i32,
    /// `metadata.log.dir`; where that is not set the first of `log.dirs`, or of `log.dir` where only
    /// that is set. It holds the metadata log.
    pub data_dir: String,
    /// The other folders of `log.dirs`.
    pub more_data_dirs: Vec<String>,
    /// `metadata.log.dir` is none of `log.dirs`: no partition is kept there.
    pub is_data_dir_apart: bool,
    pub listeners: Vec<Listener>,
    pub node: NodeConfig,
    pub listener: ListenerConfig,
    pub log: LogConfig,
    pub topic: TopicDefaults,
    pub group: GroupCoordinatorConfig,
    pub quorum: QuorumConfig,
    pub replication: ReplicationConfig,
    pub security: SecurityConfig,
    pub ottla: OttlaConfig,
    /// What a topic without settings of its own has.
    pub topic_defaults: TopicConfig,
    /// What a group without settings of its own has.
    pub group_defaults: GroupConfig,
    /// What this snapshot was built from.
    pub layers: Layers,
}

/// Something that stops a start, and where it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    pub key: String,
    /// Nothing where no single setting is at fault.
    pub origin: Option<Origin>,
    pub message: String,
    /// What the key takes, where that is not in the message.
    pub expected: Option<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        f.write_str(&self.message)?;
        match &self.expected {
            Some(expected) => write!(f, " ({} takes {expected})", self.key),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConfigError {}

impl BrokerConfig {
    /// The snapshot, or everything that is wrong with what was set.
    pub fn build(layers: Layers) -> Result<Self, Vec<ConfigError>> {
        let mut errors = bad_values(&layers);
        if !errors.is_empty() {
            return Err(errors);
        }
        let read = read_groups(layers);
        match read {
            Ok(config) => {
                errors.extend(config.rules());
                if errors.is_empty() { Ok(config) } else { Err(errors) }
            }
            Err(found) => Err(found),
        }
    }

    /// The defaults alone: a node on its own at localhost:9092.
    pub fn defaults() -> Self {
        Self::build(Layers::default()).expect("a test builds the snapshot of the defaults")
    }

    /// The same node with other dynamic values: those of this broker, and those of all brokers.
    pub fn with_dynamic(
        &self,
        broker: Overrides,
        default: Overrides,
    ) -> Result<Self, Vec<ConfigError>> {
        Self::build(self.layers.with_dynamic(broker, default))
    }

    /// What a topic with these settings of its own has; a stored value that is not valid any more
    /// counts as not set.
    pub fn topic_config(&self, overrides: &Overrides) -> TopicConfig {
        let text = |name: &str| resolve::scoped_text(Scope::Topic, &self.layers, overrides, name);
        TopicConfig::read(&mut Reader::new(&text)).unwrap_or_else(|| self.topic_defaults.clone())
    }

    /// What a group with these settings of its own has, within the broker's limits for groups.
    pub fn group_config(&self, overrides: &Overrides) -> GroupConfig {
        let text = |name: &str| resolve::scoped_text(Scope::Group, &self.layers, overrides, name);
        let read = GroupConfig::read(&mut Reader::new(&text));
        read.map_or_else(|| self.group_defaults.clone(), |own| own.within(&self.group))
    }

    /// How long the first rebalance of an empty group waits. On one node nobody else is starting at
    /// the same time, so there is nothing to wait for unless the user says so.
    pub fn initial_rebalance_delay_ms(&self, live_brokers: usize) -> i32 {
        let set = self.layers.is_set("group.initial.rebalance.delay.ms");
        if live_brokers <= 1 && !set { 0 } else { self.group.initial_rebalance_delay_ms }
    }

    /// The replicas an internal topic gets: what is configured, but on a node that is configured to
    /// be alone no more than there are brokers. In a cluster a topic waits for enough brokers: made
    /// by the first one that starts, it would be lost with it.
    pub fn clamp_replicas(&self, configured: i16, live_brokers: usize) -> i16 {
        let there = i16::try_from(live_brokers).unwrap_or(i16::MAX);
        if self.has_peers() { configured } else { configured.min(there).max(1) }
    }

    /// Whether this node stores records and serves clients.
    pub fn is_broker(&self) -> bool {
        self.node.process_roles.iter().any(|role| role == "broker")
    }

    /// Whether this node may lead the metadata quorum.
    pub fn is_controller(&self) -> bool {
        self.node.process_roles.iter().any(|role| role == "controller")
    }

    /// Whether the configuration speaks of other nodes: of voters, or of servers to find them by.
    pub fn has_peers(&self) -> bool {
        let other_voter = self.quorum.voters.iter().any(|voter| voter.id != self.node_id);
        other_voter || self.quorum.bootstrap_servers.iter().any(|server| !self.is_own(server))
    }

    /// Whether an empty node begins a quorum of its own, which others may join: a controller that no
    /// list of voters speaks of, and that is the first of the bootstrap servers where there are any.
    pub fn founds_quorum(&self) -> bool {
        let is_first = self.quorum.bootstrap_servers.first().is_none_or(|first| self.is_own(first));
        self.is_controller() && self.quorum.voters.is_empty() && is_first
    }

    /// Whether an address is that of a controller listener of this node.
    pub fn is_own(&self, address: &HostPort) -> bool {
        let is_local = matches!(address.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        self.controller_listeners().any(|listener| {
            let is_advertised = match &listener.advertised {
                Advertised::At { host, port } => *host == address.host && *port == address.port,
                Advertised::Auto => false,
            };
            let is_here = is_wildcard(&listener.host) || listener.host == "localhost";
            let is_bound = listener.host == address.host || (is_local && is_here);
            is_advertised || (listener.port == address.port && is_bound)
        })
    }

    /// The listeners of the quorum, that of `controller.listener.names`' first word first.
    pub fn controller_listeners(&self) -> impl Iterator<Item = &Listener> {
        let names = self.listener.controller_listener_names.iter();
        names.filter_map(|name| {
            self.listeners.iter().find(|listener| listener.name.eq_ignore_ascii_case(name))
        })
    }

    /// A listener on every interface tells others nothing by its own address. The voters' list does:
    /// other nodes reach this one's first controller listener there, and its host for the rest.
    fn advertise_as_voter(&mut self) {
        let Some(own) = self.quorum.voters.iter().find(|voter| voter.id == self.node_id) else {
            return;
        };
        let first = self.controller_listeners().next().map(|listener| listener.name.clone());
        let has_peers = self.has_peers();
        for listener in &mut self.listeners {
            if listener.advertised != Advertised::Auto || listener.port == 0 {
                continue;
            }
            if Some(&listener.name) == first.as_ref() {
                listener.advertised = Advertised::At { host: own.host.clone(), port: own.port };
            } else if has_peers {
                let port = listener.port;
                listener.advertised = Advertised::At { host: own.host.clone(), port };
            }
        }
    }

    /// Where a broker key's value came from.
    pub fn source_of(&self, name: &str) -> ConfigSource {
        resolve::broker_key(&self.layers, name).source
    }

    /// The listener that other brokers use.
    pub fn inter_broker_listener(&self) -> Option<&Listener> {
        let named = self.listener.inter_broker_listener_name.as_deref();
        let protocol = self.listener.security_inter_broker_protocol.as_str();
        let wanted = |listener: &&Listener| match named {
            Some(name) => listener.name.eq_ignore_ascii_case(name),
            None => listener.protocol.name() == protocol && !listener.is_controller,
        };
        self.listeners.iter().find(wanted)
    }
}

fn read_groups(layers: Layers) -> Result<BrokerConfig, Vec<ConfigError>> {
    let folders = folders(&layers);
    let text = |name: &str| resolve::broker_text(&layers, name);
    let no_overrides = Overrides::new();
    let topic_text = |name: &str| resolve::scoped_text(Scope::Topic, &layers, &no_overrides, name);
    let group_text = |name: &str| resolve::scoped_text(Scope::Group, &layers, &no_overrides, name);
    let mut reader = Reader::new(&text);
    let mut topic_reader = Reader::new(&topic_text);
    let mut group_reader = Reader::new(&group_text);
    let groups = (|| {
        let listener = ListenerConfig::read(&mut reader);
        let listeners = listener.as_ref().map(|listener| read_listeners(&layers, listener));
        let log = LogConfig::read(&mut reader)?;
        let node = NodeConfig::read(&mut reader)?;
        Some((
            BrokerConfig {
                node_id: node_id(&layers, &node),
                data_dir: folders.main,
                more_data_dirs: folders.others,
                is_data_dir_apart: folders.is_apart,
                listeners: Vec::new(),
                node,
                listener: listener?,
                log,
                topic: TopicDefaults::read(&mut reader)?,
                group: GroupCoordinatorConfig::read(&mut reader)?,
                quorum: QuorumConfig::read(&mut reader)?,
                replication: ReplicationConfig::read(&mut reader)?,
                security: SecurityConfig::read(&mut reader)?,
                ottla: OttlaConfig::read(&mut reader)?,
                topic_defaults: TopicConfig::read(&mut topic_reader)?,
                group_defaults: GroupConfig::read(&mut group_reader)?,
                layers: layers.clone(),
            },
            listeners?,
        ))
    })();
    let invalid = [reader.errors, topic_reader.errors, group_reader.errors].concat();
    match groups {
        Some((config, Ok(listeners))) => {
            let mut config = BrokerConfig { listeners, ..config };
            config.advertise_as_voter();
            Ok(config)
        }
        Some((_, Err(errors))) => Err(errors),
        None => Err(invalid.iter().map(|invalid| located(&layers, invalid)).collect()),
    }
}

fn located(layers: &Layers, invalid: &Invalid) -> ConfigError {
    ConfigError {
        key: invalid.key.clone(),
        origin: layers.fixed(&invalid.key).map(|setting| setting.origin.clone()),
        message: invalid.to_string(),
        expected: None,
    }
}

fn node_id(layers: &Layers, node: &NodeConfig) -> i32 {
    let only_broker_id = !layers.is_set("node.id") && node.broker_id >= 0;
    if only_broker_id { node.broker_id } else { node.node_id }
}

/// Where a node keeps its metadata log, and whatever else it remembers; empty where the settings name
/// no folder.
pub fn data_dir(layers: &Layers) -> String {
    folders(layers).main
}

/// The folders a node keeps its data in.
struct Folders {
    /// Holds the metadata log.
    main: String,
    others: Vec<String>,
    /// The first one is for the metadata log alone.
    is_apart: bool,
}

fn folders(layers: &Layers) -> Folders {
    let only_log_dir = !layers.is_set("log.dirs") && layers.is_set("log.dir");
    let key = if only_log_dir { "log.dir" } else { "log.dirs" };
    let text = resolve::broker_text(layers, key).unwrap_or_default();
    let mut others: Vec<String> = list::elements(&text).into_iter().map(str::to_owned).collect();
    let said = resolve::broker_text(layers, "metadata.log.dir").unwrap_or_default();
    let said = said.trim();
    let at = if said.is_empty() { Some(0) } else { others.iter().position(|dir| dir == said) };
    match at {
        Some(at) if at < others.len() => {
            let main = others.remove(at);
            Folders { main, others, is_apart: false }
        }
        _ => Folders { main: said.to_owned(), is_apart: !said.is_empty(), others },
    }
}

fn read_listeners(
    layers: &Layers,
    config: &ListenerConfig,
) -> Result<Vec<Listener>, Vec<ConfigError>> {
    let advertised = config.advertised_listeners.as_slice();
    let is_auto = advertised.is_empty() || matches!(advertised, [word] if word == "auto");
    let protocol_map: Vec<String> = ConfigValue::from_text(&config.listener_security_protocol_map)
        .expect("every text is a list");
    let names = config.controller_listener_names.iter();
    let controller_names: Vec<String> = names.map(|name| name.to_ascii_uppercase()).collect();
    let texts = ListenerTexts {
        listeners: &config.listeners,
        advertised: (!is_auto).then_some(advertised),
        protocol_map: &protocol_map,
        protocol_map_set: layers.is_set("listener.security.protocol.map"),
        controller_names: &controller_names,
    };
    listener::listeners(&texts).map_err(|faults| {
        let error = |(key, message): (&'static str, String)| ConfigError {
            key: key.to_owned(),
            origin: layers.fixed(key).map(|setting| setting.origin.clone()),
            message: format!("{key}: {message}"),
            expected: None,
        };
        faults.into_iter().map(error).collect()
    })
}

/// Every value that was set at start and is not one its key takes.
fn bad_values(layers: &Layers) -> Vec<ConfigError> {
    layers.fixed_settings().filter_map(|setting| bad_value(setting).err()).collect()
}

fn bad_value(setting: &Setting) -> Result<(), ConfigError> {
    let Some(def) = keys::find_broker(&setting.key) else { return Ok(()) };
    value::verify(def, &setting.key, Some(&setting.value)).map_err(|invalid| {
        let valid = def.check.describe();
        let expected = if valid.is_empty() {
            def.value_type.name().to_owned()
        } else {
            format!("{} {valid}", def.value_type.name())
        };
        ConfigError {
            key: setting.key.clone(),
            origin: Some(setting.origin.clone()),
            message: invalid.to_string(),
            expected: Some(expected),
        }
    })
}

/// Something a start should say, but that does not stop it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// Nobody knows this key.
    Unknown { setting: Setting, nearest: Option<&'static str> },
    /// The key was Kafka's once, or is another product's.
    Removed { setting: Setting, reason: &'static str },
    /// The key is known and changes nothing here.
    NoEffect { setting: Setting, reason: &'static str },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Unknown { setting, nearest } => {
                write!(f, "{}: unknown configuration {}", setting.origin, setting.key)?;
                match nearest {
                    Some(nearest) => write!(f, "; did you mean {nearest}?"),
                    None => Ok(()),
                }
            }
            Remark::Removed { setting, reason } | Remark::NoEffect { setting, reason } => {
                write!(f, "{}: {} has no effect: {reason}", setting.origin, setting.key)
            }
        }
    }
}

/// What a start should say about the settings it was given.
pub fn remarks(layers: &Layers) -> Vec<Remark> {
    layers.fixed_settings().filter_map(remark).collect()
}

fn remark(setting: &Setting) -> Option<Remark> {
    let setting = setting.clone();
    let Some(def) = keys::find_broker(&setting.key) else {
        let names = keys::keys(Scope::Broker).iter().map(|def| def.name);
        return Some(match removed::removed(&setting.key) {
            Some(reason) => Remark::Removed { setting, reason },
            None => {
                let nearest = crate::edit_distance::nearest(&setting.key, names);
                Remark::Unknown { setting, nearest }
            }
        });
    };
    match def.effect {
        Effect::Accepted(reason) if def.default != Some(setting.value.trim()) => {
            Some(Remark::NoEffect { setting, reason })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
