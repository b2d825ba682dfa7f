//! The tests that may fail: one a line, `NAME  GROUP: REASON`. The table counts by group.

/// The group of failures that are Apache Kafka's, too.
const KAFKA_TOO: &str = "Apache Kafka fails too";
/// The group of tests that pass on some runs only, for a reason of their own; they are never stale.
const UNSTEADY: &str = "unsteady";

/// One line.
#[derive(Debug, PartialEq)]
pub(super) struct Allowed {
    pub(super) name: String,
    pub(super) group: String,
    pub(super) reason: String,
}

impl Allowed {
    /// Whether Apache Kafka fails it for the same reason.
    pub(super) fn holds_for_kafka(&self) -> bool {
        self.group == KAFKA_TOO || self.is_unsteady()
    }

    /// Whether it may also pass.
    pub(super) fn is_unsteady(&self) -> bool {
        self.group == UNSTEADY
    }
}

/// Every line, or the first that has no reason or names a test for the second time.
pub(super) fn parse(text: &str) -> Result<Vec<Allowed>, String> {
    let mut found: Vec<Allowed> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, why) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let why = why.trim();
        if why.is_empty() {
            return Err(format!("line {}: {name} has no reason", number + 1));
        }
        if found.iter().any(|allowed| allowed.name == name) {
            return Err(format!("line {}: {name} is there twice", number + 1));
        }
        let (group, reason) = why.split_once(": ").unwrap_or((why, ""));
        found.push(Allowed {
            name: name.to_string(),
            group: group.to_string(),
            reason: reason.to_string(),
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_name_a_group_and_a_reason() {
        let text = "# why\n\n0103_transactions  not served yet: transactions: all of them\n";
        let expected = Allowed {
            name: "0103_transactions".to_string(),
            group: "not served yet".to_string(),
            reason: "transactions: all of them".to_string(),
        };
        assert_eq!(parse(text), Ok(vec![expected]));
    }

    #[test]
    fn no_line_without_a_reason_and_none_twice() {
        assert_eq!(parse("a x\nb"), Err("line 2: b has no reason".to_string()));
        assert_eq!(parse("a x\na y"), Err("line 2: a is there twice".to_string()));
    }
}
