//! What one row of the table of keys says. Holds no value that a user gave.

use crate::check::Check;

/// Kafka's ConfigDef types; the numbers are those of DescribeConfigs version 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ConfigType {
    Boolean = 1,
    String = 2,
    Int = 3,
    Short = 4,
    Long = 5,
    Double = 6,
    List = 7,
    Class = 8,
    Password = 9,
}

impl ConfigType {
    pub fn code(self) -> i8 {
        self as i8
    }

    pub fn name(self) -> &'static str {
        match self {
            ConfigType::Boolean => "BOOLEAN",
            ConfigType::String => "STRING",
            ConfigType::Int => "INT",
            ConfigType::Short => "SHORT",
            ConfigType::Long => "LONG",
            ConfigType::Double => "DOUBLE",
            ConfigType::List => "LIST",
            ConfigType::Class => "CLASS",
            ConfigType::Password => "PASSWORD",
        }
    }
}

/// How much a key matters to somebody who tunes a cluster, as Kafka ranks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    High,
    Medium,
    Low,
}

impl Importance {
    pub fn name(self) -> &'static str {
        match self {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        }
    }
}

/// How a broker key may change while the broker runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum UpdateMode {
    ReadOnly,
    /// On one broker only.
    PerBroker,
    /// On one broker, or for all of them at once.
    ClusterWide,
}

impl UpdateMode {
    pub fn name(self) -> &'static str {
        match self {
            UpdateMode::ReadOnly => "read-only",
            UpdateMode::PerBroker => "per-broker",
            UpdateMode::ClusterWide => "cluster-wide",
        }
    }
}

/// What kind of resource a key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Broker,
    Topic,
    Group,
    ClientMetrics,
}

/// Whether a key changes anything in this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    InEffect,
    /// Known, checked and described, but it changes nothing here, for this reason.
    Accepted(&'static str),
}

/// Where a value came from, with Kafka's codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i8)]
pub enum ConfigSource {
    Unknown = 0,
    Topic = 1,
    DynamicBroker = 2,
    DynamicDefaultBroker = 3,
    StaticBroker = 4,
    Default = 5,
    DynamicBrokerLogger = 6,
    ClientMetrics = 7,
    Group = 8,
}

impl ConfigSource {
    pub fn code(self) -> i8 {
        self as i8
    }

    /// In words, for people.
    pub fn name(self) -> &'static str {
        match self {
            ConfigSource::Unknown => "unknown",
            ConfigSource::Topic => "topic",
            ConfigSource::DynamicBroker => "dynamic, this broker",
            ConfigSource::DynamicDefaultBroker => "dynamic, all brokers",
            ConfigSource::StaticBroker => "set at start",
            ConfigSource::Default => "default",
            ConfigSource::DynamicBrokerLogger => "logger",
            ConfigSource::ClientMetrics => "client metrics",
            ConfigSource::Group => "group",
        }
    }
}

/// A broker key that a default comes from, and what one of its units is in the key's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synonym {
    pub name: &'static str,
    pub factor: i64,
}

/// One key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KeyDef {
    pub name: &'static str,
    pub value_type: ConfigType,
    /// As text, or nothing where the default is null.
    pub default: Option<&'static str>,
    pub check: Check,
    /// The row's doc comment; see [`KeyDef::doc`].
    pub raw_doc: &'static str,
    pub importance: Importance,
    pub update: UpdateMode,
    pub scope: Scope,
    /// For topic and group keys: the broker keys their default comes from, the first that is set
    /// wins. For broker keys: the other keys that say the same in another unit.
    pub synonyms: &'static [Synonym],
    /// Kafka does not list internal keys to clients.
    pub internal: bool,
    pub effect: Effect,
}

impl KeyDef {
    pub fn doc(&self) -> &'static str {
        self.raw_doc.trim()
    }

    /// A sensitive value never leaves the broker.
    pub fn sensitive(&self) -> bool {
        self.value_type == ConfigType::Password
    }
}
