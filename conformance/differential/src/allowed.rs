//! What may differ, and why: `allowed.toml`. Every rule is counted, so that one without use is seen.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_protocol::json::{Map, Value};
use serde::Deserialize;

use crate::script::NULL;

/// What a masked value shows.
const MASK: &str = "*";
const NO_ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allowed {
    /// Values that are a broker's own: only whether there is one is compared.
    #[serde(default)]
    mask: Vec<Field>,
    /// Lists whose order says nothing.
    #[serde(default)]
    unordered: Vec<Field>,
    /// Lists that are compared by a field of their elements, not by place.
    #[serde(default)]
    keyed: Vec<Keyed>,
    /// Differences that are meant.
    #[serde(default)]
    allow: Vec<Allow>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Field {
    /// `Api/field/*/field`: `*` is one place of the path, `**` any number.
    path: String,
    reason: String,
    /// Needed only against a cluster.
    #[serde(default)]
    cluster: bool,
    #[serde(skip)]
    used: AtomicUsize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keyed {
    path: String,
    /// A field of each element; of several, joined by `|`, the first that is there.
    by: String,
    reason: String,
    /// Needed only against a cluster.
    #[serde(default)]
    cluster: bool,
    #[serde(skip)]
    used: AtomicUsize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Allow {
    /// A script's name; `*` stands for anything.
    script: String,
    #[serde(default = "anywhere")]
    path: String,
    /// What Kafka says, where the rule is for that only.
    kafka: Option<Value>,
    ottla: Option<Value>,
    reason: String,
    /// Needed only against a cluster.
    #[serde(default)]
    cluster: bool,
    #[serde(skip)]
    used: AtomicUsize,
}

fn anywhere() -> String {
    "**".to_owned()
}

/// One place where the two answers are not the same.
#[derive(Debug, Clone, serde::Serialize)]
pub(crate) struct Difference {
    pub(crate) step: usize,
    pub(crate) path: String,
    pub(crate) kafka: Value,
    pub(crate) ottla: Value,
}

impl Allowed {
    /// The rules for one broker, and those for a `cluster` where it is one.
    pub(crate) fn load(path: &Path, cluster: bool) -> Result<Allowed, String> {
        let text = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut allowed: Allowed =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        allowed.mask.retain(|rule| cluster || !rule.cluster);
        allowed.unordered.retain(|rule| cluster || !rule.cluster);
        allowed.keyed.retain(|rule| cluster || !rule.cluster);
        allowed.allow.retain(|rule| cluster || !rule.cluster);
        let reasons = allowed.mask.iter().chain(&allowed.unordered).map(|field| &field.reason);
        let reasons = reasons.chain(allowed.keyed.iter().map(|keyed| &keyed.reason));
        let reasons = reasons.chain(allowed.allow.iter().map(|allow| &allow.reason));
        match reasons.into_iter().any(|reason| reason.trim().is_empty()) {
            true => Err(format!("{}: a rule without a reason", path.display())),
            false => Ok(allowed),
        }
    }

    /// Takes off what is a broker's own. Doing it twice changes nothing more.
    pub(crate) fn normalise(&self, outcomes: &mut [Value]) {
        for outcome in outcomes {
            self.walk(&mut Vec::new(), outcome);
        }
    }

    fn walk(&self, path: &mut Vec<String>, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    path.push(name.clone());
                    self.walk(path, value);
                    path.pop();
                }
            }
            Value::Array(values) => {
                for (i, value) in values.iter_mut().enumerate() {
                    path.push(i.to_string());
                    self.walk(path, value);
                    path.pop();
                }
                if let Some(rule) = self.unordered.iter().find(|rule| rule.covers(path)) {
                    rule.used.fetch_add(1, Ordering::Relaxed);
                    values.sort_by_cached_key(Value::to_string);
                }
                let keyed = |rule: &&Keyed| path_matches(&parts(&rule.path), path);
                if let Some(rule) = self.keyed.iter().find(keyed) {
                    rule.used.fetch_add(1, Ordering::Relaxed);
                    *value = by_key(values, &rule.by);
                }
            }
            _ => {}
        }
        if let Some(rule) = self.mask.iter().find(|rule| rule.covers(path)) {
            rule.used.fetch_add(1, Ordering::Relaxed);
            if says_something(value) {
                *value = MASK.into();
            }
        }
    }

    /// The reason why this difference is no fault.
    pub(crate) fn reason(&self, script: &str, difference: &Difference) -> Option<&str> {
        let path: Vec<String> = difference.path.split('/').map(str::to_owned).collect();
        let rule = self.allow.iter().find(|rule| {
            text_matches(&rule.script, script)
                && path_matches(&parts(&rule.path), &path)
                && rule.kafka.as_ref().is_none_or(|value| is(value, &difference.kafka))
                && rule.ottla.as_ref().is_none_or(|value| is(value, &difference.ottla))
        })?;
        rule.used.fetch_add(1, Ordering::Relaxed);
        Some(&rule.reason)
    }

    /// Rules that nothing needed, of those for one broker or for a cluster.
    pub(crate) fn stale(&self, cluster: bool) -> Vec<String> {
        let unused = |used: &AtomicUsize| used.load(Ordering::Relaxed) == 0;
        let meant = |of_cluster: bool| of_cluster == cluster;
        let fields = self.mask.iter().chain(&self.unordered);
        let fields = fields.filter(|rule| unused(&rule.used) && meant(rule.cluster));
        let allows = self.allow.iter();
        let allows = allows.filter(|rule| unused(&rule.used) && meant(rule.cluster));
        let keyed = self.keyed.iter().filter(|rule| unused(&rule.used) && meant(rule.cluster));
        fields
            .map(|rule| format!("{} ({})", rule.path, rule.reason))
            .chain(keyed.map(|rule| format!("{} ({})", rule.path, rule.reason)))
            .chain(allows.map(|rule| format!("{} {} ({})", rule.script, rule.path, rule.reason)))
            .collect()
    }
}

impl Field {
    fn covers(&self, path: &[String]) -> bool {
        path_matches(&parts(&self.path), path)
    }
}

/// The list as an object; of two elements with one key, both are kept.
fn by_key(values: &[Value], by: &str) -> Value {
    let mut fields = Map::new();
    for (i, value) in values.iter().enumerate() {
        let name = by.split('|').find_map(|field| match value.get(field) {
            Some(Value::String(name)) if !name.is_empty() => Some(name.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        });
        let name = name.unwrap_or_else(|| format!("#{i}"));
        let name = if fields.contains_key(&name) { format!("{name}#{i}") } else { name };
        fields.insert(name, value.clone());
    }
    Value::Object(fields)
}

/// Whether a value is what a rule says; a file writes null as `<null>`.
fn is(rule: &Value, value: &Value) -> bool {
    rule == value || (rule == NULL && value.is_null())
}

/// Whether there is a value at all: not null, empty, negative or the id of nothing.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        // A variable is compared: it says that the value is the one seen before.
        Value::String(text) => !text.is_empty() && text != NO_ID && !text.starts_with('$'),
        Value::Number(number) => number.as_f64().is_some_and(|number| number >= 0.0),
        Value::Array(values) => !values.is_empty(),
        _ => true,
    }
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').collect()
}

fn path_matches(pattern: &[&str], path: &[String]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => {
            path_matches(rest, path) || (!path.is_empty() && path_matches(pattern, &path[1..]))
        }
        ([first, rest @ ..], [name, others @ ..]) => {
            (*first == "*" || first == name) && path_matches(rest, others)
        }
        _ => false,
    }
}

/// Whether `text` is what `pattern` says, in which `*` stands for anything.
pub(crate) fn text_matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|left| {
            (0..=left.len())
                .filter(|at| left.is_char_boundary(*at))
                .any(|at| text_matches(rest, &left[at..]))
        }),
    }
}
