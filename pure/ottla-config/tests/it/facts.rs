//! Every key of Apache Kafka 4.4 is here with the same type, default, valid values, importance and
//! update mode. Method: the rows Kafka's own classes print, compared with ours one by one.

use ottla_config::keys::{find, keys};
use ottla_config::{KeyDef, Scope};

const BROKER: &str = include_str!("facts/broker-configs.tsv");
const TOPIC: &str = include_str!("facts/topic-configs.tsv");
const TOPIC_SYNONYMS: &str = include_str!("facts/topic-config-synonyms.tsv");
const GROUP: &str = include_str!("facts/group-configs.tsv");

/// Defaults that differ on purpose.
const OWN_DEFAULTS: &[(&str, &str)] = &[
    ("log.dirs", "a folder beside the binary, not one the system clears"),
    ("listeners", "nobody else is let in before the user says so"),
    ("advertised.listeners", "each client is told the address it already reached the node by"),
    ("node.id", "one node needs no number"),
    ("process.roles", "one node is both"),
    ("controller.listener.names", "one node needs no controller listener"),
];

/// Keys Kafka's own table does not have: those of its authorizer, and those that it takes only while
/// a broker runs.
const OWN_KEYS: &[&str] = &[
    "allow.everyone.if.no.acl.found",
    "follower.replication.throttled.rate",
    "leader.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
    "super.users",
];

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("name\t"))
        .map(|line| line.split('\t').collect())
}

fn compare(scope: Scope, row: &[&str]) -> Vec<String> {
    let [name, value_type, default, valid, importance, update, rest @ ..] = row else {
        return vec![format!("a row with too few columns: {row:?}")];
    };
    let Some(def) = find(scope, name) else { return vec![format!("{name} is missing")] };
    let mut wrong = Vec::new();
    let mut same = |what: &str, ours: &str, theirs: &str| {
        if ours != theirs {
            wrong.push(format!("{name}: {what} is {ours}, Kafka has {theirs}"));
        }
    };
    same("type", def.value_type.name(), value_type);
    same("importance", def.importance.name(), importance);
    same("valid", &def.check.describe(), valid);
    same("internal", if def.internal { "internal" } else { "" }, rest.first().unwrap_or(&""));
    if scope == Scope::Broker {
        same("update", def.update.name(), update);
    }
    if !OWN_DEFAULTS.iter().any(|(own, _)| own == name) {
        same("default", &default_of(def), default);
    }
    wrong
}

fn default_of(def: &KeyDef) -> String {
    match def.default {
        None => "null".into(),
        Some("") => "\"\"".into(),
        Some(text) => text.into(),
    }
}

fn compare_all(scope: Scope, text: &'static str, count: usize) {
    let rows: Vec<Vec<&str>> = rows(text).collect();
    assert_eq!(rows.len(), count, "the facts have lost rows");
    let wrong: Vec<String> = rows.iter().flat_map(|row| compare(scope, row)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_broker_key_is_as_in_kafka() {
    compare_all(Scope::Broker, BROKER, 379);
}

#[test]
fn every_topic_key_is_as_in_kafka() {
    compare_all(Scope::Topic, TOPIC, 38);
}

#[test]
fn every_group_key_is_as_in_kafka() {
    compare_all(Scope::Group, GROUP, 27);
}

#[test]
fn a_key_of_our_own_says_so_in_its_name() {
    let kafkas: Vec<&str> = rows(BROKER).map(|row| row[0]).collect();
    let strangers: Vec<&str> = keys(Scope::Broker)
        .iter()
        .map(|def| def.name)
        .filter(|name| !kafkas.contains(name) && !OWN_KEYS.contains(name))
        .filter(|name| !name.starts_with("ottla."))
        .collect();
    assert_eq!(strangers, [""; 0]);
}

#[test]
fn topic_keys_draw_from_the_same_broker_keys() {
    for row in rows(TOPIC_SYNONYMS).skip(1) {
        let def = find(Scope::Topic, row[0]).expect("every topic key is known");
        let ours: Vec<String> = def
            .synonyms
            .iter()
            .map(|synonym| match synonym.factor {
                1 => synonym.name.to_owned(),
                factor => format!("{} (x{factor})", synonym.name),
            })
            .collect();
        assert_eq!(ours.join(", "), row[1], "{}", row[0]);
        for synonym in def.synonyms {
            assert!(find(Scope::Broker, synonym.name).is_some(), "{}", synonym.name);
        }
    }
}

#[test]
fn every_row_is_fit_to_be_read() {
    for scope in [Scope::Broker, Scope::Topic, Scope::Group, Scope::ClientMetrics] {
        let rows = keys(scope);
        assert!(rows.windows(2).all(|pair| pair[0].name < pair[1].name), "a key is declared twice");
        for def in rows {
            assert!(def.doc().ends_with('.') && !def.doc().contains("  "), "{}", def.name);
        }
    }
}
