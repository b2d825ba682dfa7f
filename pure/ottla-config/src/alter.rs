//! Whether a change of configuration is acceptable, and what it makes of what is stored. Answers in
//! Kafka's words; stores nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::definition::{ConfigType, KeyDef, Scope, UpdateMode};
use crate::group_limits;
use crate::invalid::Invalid;
use crate::keys;
use crate::list;
use crate::resolve::{self, Overrides};
use crate::snapshot::BrokerConfig;
use crate::value;

/// What IncrementalAlterConfigs can do with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlterOp {
    Set,
    Delete,
    Append,
    Subtract,
}

impl AlterOp {
    pub fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(AlterOp::Set),
            1 => Some(AlterOp::Delete),
            2 => Some(AlterOp::Append),
            3 => Some(AlterOp::Subtract),
            _ => None,
        }
    }
}

/// One step of an IncrementalAlterConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alteration<'a> {
    pub name: &'a str,
    pub op: AlterOp,
    pub value: Option<&'a str>,
}

/// A change that is not made: which of Kafka's errors answers it, and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// INVALID_CONFIG.
    InvalidConfig(String),
    /// INVALID_REQUEST.
    InvalidRequest(String),
}

impl Refusal {
    pub fn message(&self) -> &str {
        match self {
            Refusal::InvalidConfig(message) | Refusal::InvalidRequest(message) => message,
        }
    }
}

/// What is stored after the steps, of what was stored before. Values are not checked yet.
pub fn altered(
    scope: Scope,
    stored: &Overrides,
    alterations: &[Alteration<'_>],
) -> Result<Overrides, Refusal> {
    let mut names = BTreeSet::new();
    if !alterations.iter().all(|alteration| names.insert(alteration.name)) {
        return Err(Refusal::InvalidRequest("Error due to duplicate config keys".into()));
    }
    refuse_nulls(alterations)?;
    let mut after = stored.clone();
    for alteration in alterations {
        match new_value(scope, &after, alteration)? {
            Some(value) => after.insert(alteration.name.to_owned(), value),
            None => after.remove(alteration.name),
        };
    }
    Ok(after)
}

fn refuse_nulls(alterations: &[Alteration<'_>]) -> Result<(), Refusal> {
    let is_null = |step: &&Alteration<'_>| step.op != AlterOp::Delete && step.value.is_none();
    let nulls: Vec<&str> = alterations.iter().filter(is_null).map(|step| step.name).collect();
    if nulls.is_empty() {
        return Ok(());
    }
    Err(Refusal::InvalidRequest(format!("Null value not supported for : {}", nulls.join(", "))))
}

fn new_value(
    scope: Scope,
    stored: &Overrides,
    alteration: &Alteration<'_>,
) -> Result<Option<String>, Refusal> {
    let value = alteration.value.unwrap_or_default();
    let word = match alteration.op {
        AlterOp::Set => return Ok(Some(value.to_owned())),
        AlterOp::Delete => return Ok(None),
        AlterOp::Append => "APPEND",
        AlterOp::Subtract => "SUBTRACT",
    };
    let def = find(scope, alteration.name).filter(|def| def.value_type == ConfigType::List);
    let Some(def) = def else {
        let name = alteration.name;
        let message = format!("Can't {word} to key {name} because its type is not LIST.");
        return Err(Refusal::InvalidConfig(message));
    };
    let current = stored.get(alteration.name).map(String::as_str).or(def.default).unwrap_or("");
    Ok(Some(match alteration.op {
        AlterOp::Append => list::append(current, value),
        _ => list::subtract(current, value),
    }))
}

fn find(scope: Scope, name: &str) -> Option<&'static KeyDef> {
    if scope == Scope::Broker { keys::find_broker(name) } else { keys::find(scope, name) }
}

/// Topic settings as Ottla keeps them: those that Kafka 4.0 removed are dropped or, where another
/// key says the same, renamed. The second part names the dropped ones, for a line in the log.
pub fn without_removed(mut settings: Overrides) -> (Overrides, Vec<&'static str>) {
    let mut dropped = Vec::new();
    for name in ["message.format.version", "message.downconversion.enable"] {
        if settings.remove(name).is_some() {
            dropped.push(name);
        }
    }
    if let Some(value) = settings.remove("message.timestamp.difference.max.ms") {
        for name in ["message.timestamp.before.max.ms", "message.timestamp.after.max.ms"] {
            settings.entry(name.to_owned()).or_insert_with(|| value.clone());
        }
    }
    (settings, dropped)
}

/// Whether a topic may have these settings of its own (after [`without_removed`]).
pub fn check_topic(config: &BrokerConfig, settings: &Overrides) -> Result<(), Refusal> {
    check_each(Scope::Topic, "topic config name", settings)?;
    let effective = config.topic_config(settings);
    let (least, most) = (effective.min_compaction_lag_ms, effective.max_compaction_lag_ms);
    if least > most {
        return Err(Refusal::InvalidConfig(format!(
            "conflict topic config setting min.compaction.lag.ms ({least}) > \
             max.compaction.lag.ms ({most})"
        )));
    }
    if settings
        .get("remote.storage.enable")
        .is_some_and(|text| text.trim().eq_ignore_ascii_case("true"))
    {
        return Err(Refusal::InvalidConfig(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured \
             with remote log storage."
                .into(),
        ));
    }
    Ok(())
}

/// Whether a group may have these settings of its own.
pub fn check_group(config: &BrokerConfig, settings: &Overrides) -> Result<(), Refusal> {
    check_each(Scope::Group, "group config name", settings)?;
    for (name, text) in settings {
        let number = text.trim().parse::<i64>().ok();
        let outside = number.and_then(|number| group_limits::outside(&config.group, name, number));
        if let Some(message) = outside {
            return Err(Refusal::InvalidConfig(message));
        }
    }
    Ok(())
}

fn check_each(scope: Scope, kind: &str, settings: &Overrides) -> Result<(), Refusal> {
    for name in settings.keys() {
        if keys::find(scope, name).is_none() {
            return Err(Refusal::InvalidConfig(format!("Unknown {kind}: {name}")));
        }
    }
    for (name, text) in settings {
        verify(scope, name, text).map_err(|invalid| Refusal::InvalidConfig(invalid.message))?;
    }
    Ok(())
}

fn verify(scope: Scope, name: &str, text: &str) -> Result<(), Invalid> {
    find(scope, name).map_or(Ok(()), |def| value::verify(def, name, Some(text)))
}

/// Whether a client metrics subscription may say this.
pub fn check_client_metrics(settings: &Overrides) -> Result<(), Refusal> {
    for (name, text) in settings {
        if keys::find(Scope::ClientMetrics, name).is_none() {
            let message = format!("Unknown client metrics configuration: {name}");
            return Err(Refusal::InvalidRequest(message));
        }
        if let Err(invalid) = verify(Scope::ClientMetrics, name, text) {
            let message = match name.as_str() {
                "interval.ms" if text.trim().parse::<i32>().is_ok() => format!(
                    "Invalid value {} for interval.ms, interval must be between 100 and 3600000 \
                     (1 hour)",
                    text.trim()
                ),
                _ => invalid.message,
            };
            return Err(Refusal::InvalidRequest(message));
        }
        if name == "match" {
            check_match(text)?;
        }
    }
    Ok(())
}

/// What a client metrics subscription can choose clients by.
const MATCH_SELECTORS: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

fn check_match(text: &str) -> Result<(), Refusal> {
    let known = |pattern: &&str| {
        let selector = pattern.split_once('=').map(|(selector, _)| selector.trim());
        selector.is_some_and(|selector| MATCH_SELECTORS.contains(&selector))
    };
    match list::elements(text).into_iter().find(|pattern| !known(pattern)) {
        Some(pattern) => {
            let message = format!("Illegal client matching pattern: {pattern}");
            Err(Refusal::InvalidConfig(message))
        }
        None => Ok(()),
    }
}

/// Whether broker keys may change while brokers run. `changed` holds what is set anew; `settings`
/// all that is stored afterwards. With `of_all` it is the default of all brokers.
pub fn check_broker(
    config: &BrokerConfig,
    of_all: bool,
    changed: &BTreeMap<String, String>,
    settings: &Overrides,
) -> Result<(), Refusal> {
    refuse_names(changed, is_read_only, "Cannot update these configs dynamically")?;
    refuse_names(
        changed,
        needs_listener,
        "These security configs can be dynamically updated only per-listener using the listener \
         prefix",
    )?;
    if of_all {
        refuse_names(
            changed,
            is_per_broker,
            "Cannot update these configs at default cluster level, broker id must be specified",
        )?;
    }
    for (name, text) in changed {
        verify(Scope::Broker, name, text)
            .map_err(|invalid| Refusal::InvalidRequest(invalid.message))?;
        check_age(name, text)?;
    }
    let (own, all) = if of_all {
        (config.layers.dynamic_broker().clone(), settings.clone())
    } else {
        (settings.clone(), config.layers.dynamic_default().clone())
    };
    match config.with_dynamic(own, all) {
        Ok(_) => Ok(()),
        Err(errors) => {
            let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
            Err(Refusal::InvalidRequest(messages.join("; ")))
        }
    }
}

/// Ages that may be without a limit, but not nothing.
fn check_age(name: &str, text: &str) -> Result<(), Refusal> {
    let number = text.trim().parse::<i64>().unwrap_or(1);
    let message = match name {
        "log.retention.ms" if number == 0 || number < -1 => {
            "must be unlimited (-1) or, greater than or equal to 1"
        }
        "log.roll.ms" if number < 1 => "must be greater than or equal to 1",
        "log.roll.jitter.ms" if number < 0 => "must be greater than or equal to 0",
        _ => return Ok(()),
    };
    Err(Refusal::InvalidRequest(format!("requirement failed: {name} {message}")))
}

fn refuse_names(
    changed: &BTreeMap<String, String>,
    refused: impl Fn(&str) -> bool,
    message: &str,
) -> Result<(), Refusal> {
    let names: Vec<&str> =
        changed.keys().map(String::as_str).filter(|name| refused(name)).collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(Refusal::InvalidRequest(format!("{message}: [{}]", names.join(", "))))
}

fn is_read_only(name: &str) -> bool {
    keys::find_broker(name).is_some_and(|def| def.update == UpdateMode::ReadOnly)
}

fn is_per_broker(name: &str) -> bool {
    keys::find_broker(name).is_some_and(|def| def.update == UpdateMode::PerBroker)
}

/// Keystores and truststores belong to one listener; what else begins with `ssl.` or `sasl.` may be
/// set for a whole broker.
fn needs_listener(name: &str) -> bool {
    let stores = ["ssl.keystore.", "ssl.truststore.", "ssl.key.password"];
    stores.iter().any(|prefix| name.starts_with(prefix)) && is_per_broker(name)
}

/// The topic's settings that a CreateTopics v5 answer echoes.
pub fn created_topic(config: &BrokerConfig, settings: &Overrides) -> Vec<resolve::Resolved> {
    resolve::topic_keys(&config.layers, settings)
}
