//! The value of a key, where it came from, and what stands behind it, as DescribeConfigs answers.
//! Trusts what is stored: values were checked when they were set.

use std::collections::BTreeMap;

use crate::definition::{ConfigSource, ConfigType, KeyDef, Scope, Synonym};
use crate::keys;
use crate::layers::Layers;
use crate::list;

/// The settings a topic or group made for itself.
pub type Overrides = BTreeMap<String, String>;

/// One of the values that would be in effect if the ones before it were not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigSynonym {
    pub name: String,
    /// Nothing where the value is sensitive.
    pub value: Option<String>,
    pub source: ConfigSource,
}

/// One answered key.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    pub name: String,
    /// Nothing where it is null or sensitive.
    pub value: Option<String>,
    pub source: ConfigSource,
    pub synonyms: Vec<ConfigSynonym>,
    /// Nothing for a key that nobody knows; Kafka answers such a key too, as sensitive.
    pub def: Option<&'static KeyDef>,
    pub read_only: bool,
    pub sensitive: bool,
}

/// A broker key as this broker has it.
pub fn broker_key(layers: &Layers, name: &str) -> Resolved {
    let synonyms = broker_synonyms(layers, name);
    broker_entry(layers, name, synonyms)
}

/// A broker key as all brokers have it by default: what an empty broker name asks for. Only
/// what was set for all brokers is answered.
pub fn cluster_default_key(layers: &Layers, name: &str) -> Option<Resolved> {
    let stored = layers.dynamic_default().get(name)?;
    let mut synonyms = broker_synonyms(layers, name);
    synonyms.retain(|synonym| synonym.source == ConfigSource::DynamicDefaultBroker);
    let mut resolved = broker_entry(layers, name, synonyms);
    resolved.value = (!resolved.sensitive).then(|| stored.clone());
    Some(resolved)
}

/// Every broker key a client may see: the known ones, and whatever else was set.
pub fn broker_keys(layers: &Layers) -> Vec<Resolved> {
    let known = keys::keys(Scope::Broker).iter().filter(|def| !def.internal).map(|def| def.name);
    let mut names: Vec<&str> = known.collect();
    let fixed = layers.fixed_settings().map(|setting| setting.key.as_str());
    names.extend(fixed.filter(|name| keys::find(Scope::Broker, name).is_none()));
    // A throttle is shown while it is set, and only then.
    let dynamic = layers.dynamic_broker().keys().chain(layers.dynamic_default().keys());
    names.extend(dynamic.map(String::as_str));
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| broker_key(layers, name)).collect()
}

/// Every key that was set for all brokers.
pub fn cluster_default_keys(layers: &Layers) -> Vec<Resolved> {
    layers.dynamic_default().keys().filter_map(|name| cluster_default_key(layers, name)).collect()
}

/// A topic key: the topic's own value, or what the broker keys behind it say.
pub fn topic_key(layers: &Layers, overrides: &Overrides, name: &str) -> Option<Resolved> {
    scoped_key(Scope::Topic, ConfigSource::Topic, layers, overrides, name)
}

/// Every topic key a client may see.
pub fn topic_keys(layers: &Layers, overrides: &Overrides) -> Vec<Resolved> {
    visible(Scope::Topic).filter_map(|name| topic_key(layers, overrides, name)).collect()
}

/// A group key: the group's own value, or what the broker key behind it says.
pub fn group_key(layers: &Layers, overrides: &Overrides, name: &str) -> Option<Resolved> {
    scoped_key(Scope::Group, ConfigSource::Group, layers, overrides, name)
}

/// Every group key a client may see.
pub fn group_keys(layers: &Layers, overrides: &Overrides) -> Vec<Resolved> {
    visible(Scope::Group).filter_map(|name| group_key(layers, overrides, name)).collect()
}

/// A key of a client metrics subscription.
pub fn client_metrics_key(overrides: &Overrides, name: &str) -> Option<Resolved> {
    let none = Layers::default();
    scoped_key(Scope::ClientMetrics, ConfigSource::ClientMetrics, &none, overrides, name)
}

/// The text in effect for a broker key of this broker: nothing where it is null.
pub fn broker_text(layers: &Layers, name: &str) -> Option<String> {
    let base = keys::listener_base(name);
    let set = layers.set_value(name).or_else(|| layers.set_value(base?));
    let default = || keys::find_broker(name)?.default;
    set.or_else(default).map(str::to_owned)
}

/// The text in effect for a topic or group key.
pub fn scoped_text(
    scope: Scope,
    layers: &Layers,
    overrides: &Overrides,
    name: &str,
) -> Option<String> {
    let def = keys::find(scope, name)?;
    let own = overrides.get(name).cloned();
    let from_broker = || def.synonyms.iter().find_map(|synonym| behind(layers, synonym));
    let default = || def.synonyms.iter().find_map(default_behind);
    own.or_else(from_broker).or_else(default).or_else(|| def.default.map(str::to_owned))
}

/// The value a broker key sets for a topic key, in the topic key's unit.
fn behind(layers: &Layers, synonym: &Synonym) -> Option<String> {
    layers.set_value(synonym.name).map(|text| in_unit(text, synonym.factor))
}

fn default_behind(synonym: &Synonym) -> Option<String> {
    let default = keys::find(Scope::Broker, synonym.name)?.default?;
    Some(in_unit(default, synonym.factor))
}

/// A negative number of hours means the same as a negative number of milliseconds: for ever.
fn in_unit(text: &str, factor: i64) -> String {
    match text.trim().parse::<i64>() {
        Ok(number) if factor != 1 && number < 0 => "-1".into(),
        Ok(number) if factor != 1 => number.saturating_mul(factor).to_string(),
        _ => text.to_owned(),
    }
}

fn visible(scope: Scope) -> impl Iterator<Item = &'static str> {
    keys::keys(scope).iter().filter(|def| !def.internal).map(|def| def.name)
}

fn scoped_key(
    scope: Scope,
    own_source: ConfigSource,
    layers: &Layers,
    overrides: &Overrides,
    name: &str,
) -> Option<Resolved> {
    let def = keys::find(scope, name)?;
    let sensitive = def.sensitive();
    let value = scoped_text(scope, layers, overrides, name).map(|text| shown(def, &text));
    let mut synonyms = Vec::new();
    if let Some(own) = overrides.get(name) {
        let value = (!sensitive).then(|| own.clone());
        synonyms.push(ConfigSynonym { name: name.to_owned(), value, source: own_source });
    }
    if let Some(first) = def.synonyms.first() {
        synonyms.extend(broker_synonyms(layers, first.name));
    } else if scope == Scope::Group
        && let Some(default) = def.default
    {
        let value = Some(default.to_owned()).filter(|_| !sensitive);
        let source = ConfigSource::Default;
        synonyms.push(ConfigSynonym { name: name.to_owned(), value, source });
    }
    let source = synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source);
    Some(Resolved {
        name: name.to_owned(),
        value: value.filter(|_| !sensitive),
        source,
        synonyms,
        def: Some(def),
        read_only: false,
        sensitive,
    })
}

fn broker_entry(layers: &Layers, name: &str, synonyms: Vec<ConfigSynonym>) -> Resolved {
    let def = keys::find_broker(name);
    let sensitive = def.is_none_or(KeyDef::sensitive);
    let text = broker_text(layers, name);
    let value = text.map(|text| def.map_or_else(|| text.clone(), |def| shown(def, &text)));
    Resolved {
        name: name.to_owned(),
        value: value.filter(|_| !sensitive),
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        synonyms,
        def,
        read_only: def.is_none_or(|def| def.update == crate::definition::UpdateMode::ReadOnly),
        sensitive,
    }
}

/// Everything that was said about a broker key and its other names, the strongest first.
fn broker_synonyms(layers: &Layers, name: &str) -> Vec<ConfigSynonym> {
    let names = other_names(name);
    let mut found = Vec::new();
    let mut push = |name: &str, value: Option<&str>, source| {
        let sensitive = keys::find_broker(name).is_none_or(KeyDef::sensitive);
        let value = value.filter(|_| !sensitive).map(str::to_owned);
        found.push(ConfigSynonym { name: name.to_owned(), value, source });
    };
    for name in &names {
        if let Some(value) = layers.dynamic_broker().get(*name) {
            push(name, Some(value), ConfigSource::DynamicBroker);
        }
    }
    for name in &names {
        if let Some(value) = layers.dynamic_default().get(*name) {
            push(name, Some(value), ConfigSource::DynamicDefaultBroker);
        }
    }
    for name in &names {
        if let Some(setting) = layers.fixed(name) {
            push(name, Some(&setting.value), ConfigSource::StaticBroker);
        }
    }
    for name in &names {
        if let Some(default) = keys::find(Scope::Broker, name).and_then(|def| def.default) {
            push(name, Some(default), ConfigSource::Default);
        }
    }
    found
}

/// The names under which DescribeConfigs looks a broker key up. As in Kafka, `log.retention.hours` is
/// not among those of `log.retention.ms`, although it decides when the latter is not set.
fn other_names(name: &str) -> Vec<&str> {
    std::iter::once(name).chain(keys::listener_base(name)).collect()
}

/// A value as Kafka prints it back: without the blanks around it and around list elements.
fn shown(def: &KeyDef, text: &str) -> String {
    match def.value_type {
        ConfigType::List => list::elements(text).join(","),
        ConfigType::Boolean => text.trim().to_ascii_lowercase(),
        _ => text.trim().to_owned(),
    }
}
