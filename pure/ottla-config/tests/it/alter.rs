//! What IncrementalAlterConfigs makes of stored settings.

use std::collections::BTreeMap;

use ottla_config::alter::{AlterOp, Alteration, Refusal, altered, check_topic, without_removed};
use ottla_config::resolve::Overrides;
use ottla_config::{BrokerConfig, Scope};

fn overrides(pairs: &[(&str, &str)]) -> Overrides {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn step<'a>(name: &'a str, op: AlterOp, value: &'a str) -> Alteration<'a> {
    Alteration { name, op, value: Some(value) }
}

#[test]
fn lists_grow_and_shrink_from_what_is_stored_or_the_default() {
    let one = |stored: &[(&str, &str)], op, value| {
        let after = altered(Scope::Topic, &overrides(stored), &[step("cleanup.policy", op, value)]);
        after.unwrap().get("cleanup.policy").cloned().unwrap()
    };
    assert_eq!(one(&[], AlterOp::Append, "compact"), "delete,compact");
    assert_eq!(one(&[("cleanup.policy", "")], AlterOp::Append, "compact"), "compact");
    assert_eq!(one(&[("cleanup.policy", "compact")], AlterOp::Append, "compact"), "compact");
    assert_eq!(
        one(&[("cleanup.policy", "compact,delete")], AlterOp::Subtract, "delete"),
        "compact"
    );
    assert_eq!(one(&[("cleanup.policy", "compact")], AlterOp::Subtract, "delete"), "compact");
}

#[test]
fn only_lists_grow() {
    let refusal =
        altered(Scope::Topic, &overrides(&[]), &[step("retention.ms", AlterOp::Append, "1")]);
    let message = "Can't APPEND to key retention.ms because its type is not LIST.";
    assert_eq!(refusal, Err(Refusal::InvalidConfig(message.into())));
}

#[test]
fn a_key_is_set_and_deleted() {
    let set = step("retention.ms", AlterOp::Set, "5");
    let after = altered(Scope::Topic, &overrides(&[]), &[set]).unwrap();
    assert_eq!(after, overrides(&[("retention.ms", "5")]));
    let delete = Alteration { name: "retention.ms", op: AlterOp::Delete, value: None };
    assert_eq!(altered(Scope::Topic, &after, &[delete]), Ok(BTreeMap::new()));
}

#[test]
fn a_key_named_twice_or_without_a_value_is_refused() {
    let set = step("retention.ms", AlterOp::Set, "5");
    let twice = altered(Scope::Topic, &overrides(&[]), &[set, set]);
    assert_eq!(twice, Err(Refusal::InvalidRequest("Error due to duplicate config keys".into())));
    let null = Alteration { name: "retention.ms", op: AlterOp::Set, value: None };
    let message = "Null value not supported for : retention.ms";
    let refused = altered(Scope::Topic, &overrides(&[]), &[null]);
    assert_eq!(refused, Err(Refusal::InvalidRequest(message.into())));
}

#[test]
fn compaction_lags_must_not_cross() {
    let config = BrokerConfig::defaults();
    let crossed = overrides(&[("min.compaction.lag.ms", "10"), ("max.compaction.lag.ms", "5")]);
    let message =
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (5)";
    assert_eq!(check_topic(&config, &crossed), Err(Refusal::InvalidConfig(message.into())));
}

#[test]
fn keys_of_old_tools_are_taken() {
    let old = overrides(&[
        ("message.format.version", "2.8"),
        ("message.downconversion.enable", "true"),
        ("message.timestamp.difference.max.ms", "9"),
        ("message.timestamp.after.max.ms", "3"),
    ]);
    let (kept, dropped) = without_removed(old);
    let expected = overrides(&[
        ("message.timestamp.before.max.ms", "9"),
        ("message.timestamp.after.max.ms", "3"),
    ]);
    assert_eq!(kept, expected);
    assert_eq!(dropped, ["message.format.version", "message.downconversion.enable"]);
    assert_eq!(check_topic(&BrokerConfig::defaults(), &kept), Ok(()));
}
