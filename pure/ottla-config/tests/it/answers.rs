//! Refused values are refused in Kafka's words, and accepted ones accepted. Method: what a running
//! Apache Kafka answered to each IncrementalAlterConfigs of the table.

use std::collections::BTreeMap;

use ottla_config::BrokerConfig;
use ottla_config::alter::{self, Refusal};

const ANSWERS: &str = include_str!("facts/alter-answers.tsv");

/// Answers that differ on purpose.
const OWN_ANSWERS: &[(&str, &str)] =
    &[("message.format.version", "dropped without an error: tools still send it")];

#[test]
fn answers_are_kafkas() {
    let config = BrokerConfig::defaults();
    let mut wrong = Vec::new();
    for line in ANSWERS.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let [scope, key, value, error, message] = cells[..] else { panic!("{line}") };
        if OWN_ANSWERS.iter().any(|(own, _)| *own == key) {
            continue;
        }
        let settings = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let answer = match scope {
            "T" => alter::check_topic(&config, &settings),
            "G" => alter::check_group(&config, &settings),
            "C" => alter::check_client_metrics(&settings),
            _ => alter::check_broker(&config, scope == "D", &settings, &settings),
        };
        let ours = match &answer {
            Ok(()) => ("", ""),
            Err(Refusal::InvalidConfig(message)) => ("INVALID_CONFIG", message.as_str()),
            Err(Refusal::InvalidRequest(message)) => ("INVALID_REQUEST", message.as_str()),
        };
        if ours != (error, message) {
            wrong
                .push(format!("{key}={value}\n  ours   {ours:?}\n  Kafka  {:?}", (error, message)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
