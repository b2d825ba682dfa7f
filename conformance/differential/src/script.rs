//! The scripts as they stand in their files, and the list of every script in every version and case.

use std::collections::BTreeMap;
use std::path::Path;

use ottla_protocol::ApiKey;
use ottla_protocol::json::{Map, Value};
use serde::Deserialize;

use crate::codec;

/// How a file writes what JSON calls null, which TOML does not have.
pub(crate) const NULL: &str = "<null>";
/// In an object: all fields of the case stand here as well, and win.
const MERGED: &str = "..case";

/// One script in one version and one case: what is run and counted.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// `family/script[/case][@vN]`.
    pub(crate) name: String,
    /// The API whose versions are walked through, and the version this is.
    pub(crate) subject: Option<(ApiKey, i16)>,
    /// Topics made before the first step, by the name in the script.
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    pub(crate) fn family(&self) -> &str {
        self.name.split('/').next().unwrap_or(&self.name)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Topic {
    #[serde(default = "one")]
    pub(crate) partitions: i32,
    #[serde(default)]
    pub(crate) configs: BTreeMap<String, String>,
    /// The replicas of each partition; one, anywhere, where nothing is said.
    #[serde(default)]
    pub(crate) assignments: Vec<Vec<i32>>,
}

fn one() -> i32 {
    1
}

/// One thing that a script does. Which one, the field says that is given: `send`, `key`, `raw`,
/// `order` or `await`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Step {
    /// An API by name.
    pub(crate) send: Option<String>,
    /// An API by number, with `version` and `hex`: also one that does not exist.
    pub(crate) key: Option<i16>,
    /// Bytes as they are, in hexadecimal.
    pub(crate) raw: Option<String>,
    /// The answer to a step that said `later`.
    #[serde(rename = "await")]
    pub(crate) awaits: Option<String>,
    /// Kafka's JSON; records may be described, fields that are not given stay at their defaults.
    pub(crate) body: Value,
    /// A body in hexadecimal.
    pub(crate) hex: Option<String>,
    /// Hexadecimal after the body.
    pub(crate) tail: String,
    /// The subject's, or else the highest.
    pub(crate) version: Option<i16>,
    /// The connection, by name.
    pub(crate) on: Option<String>,
    /// The node it is to, the first where nothing is said.
    pub(crate) node: Option<usize>,
    /// What is done to the cluster: `stop 2`, `kill 2`, `start 2`, `settle`.
    pub(crate) order: Option<String>,
    pub(crate) client: Option<String>,
    /// The name under which the answer is awaited.
    pub(crate) later: Option<String>,
    /// No answer is expected (acks=0).
    pub(crate) mute: bool,
    /// For `raw`: the length in front is not written by the script.
    pub(crate) framed: bool,
    /// For `raw`: nothing follows, and the sending side is closed.
    pub(crate) half_close: bool,
    /// Variables taken from the answer, by JSON pointer.
    pub(crate) capture: BTreeMap<String, String>,
    /// The request is sent again until the answer has these values, by JSON pointer.
    pub(crate) until: BTreeMap<String, Value>,
    /// Pointer to a list of which only the script's own elements count.
    pub(crate) mine: Option<String>,
    /// The answer is not compared.
    pub(crate) quiet: bool,
    /// Only in these versions of the subject.
    pub(crate) versions: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    #[expect(dead_code, reason = "for the reader of the file")]
    about: String,
    script: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    api: Option<String>,
    /// `all` (with an api), `2-5`, `7`; without it the highest.
    versions: Option<String>,
    #[serde(default)]
    topics: BTreeMap<String, Topic>,
    /// Each makes a script of its own, in which `$case` stands for the value.
    #[serde(default)]
    cases: toml::Table,
    steps: Value,
}

/// Every script of every file below `folder`, in order of name of file.
pub(crate) fn load(folder: &Path) -> Result<Vec<Script>, String> {
    let at = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at)? {
        paths.push(entry.map_err(at)?.path());
    }
    paths.sort();
    let mut scripts = Vec::new();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "toml")) {
        let family = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(path).map_err(at)?;
        let file: File =
            toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        for entry in &file.script {
            entry
                .expand(&family, &mut scripts)
                .map_err(|e| format!("{family}/{}: {e}", entry.name))?;
        }
    }
    let mut names: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("two scripts are called {}", pair[0])),
        None => Ok(scripts),
    }
}

impl Entry {
    fn expand(&self, family: &str, scripts: &mut Vec<Script>) -> Result<(), String> {
        let key = match &self.api {
            None => None,
            Some(name) => Some(codec::api(name).ok_or_else(|| format!("no API {name}"))?),
        };
        let versions: Vec<Option<i16>> = match (key, &self.versions) {
            (None, _) => vec![None],
            (Some(key), None) => vec![Some(*codec::served(key).end())],
            (Some(key), Some(text)) if text == "all" => codec::served(key).map(Some).collect(),
            (Some(_), Some(text)) => range(text)?.map(Some).collect(),
        };
        let cases: Vec<(String, Value)> = match self.cases.is_empty() {
            true => vec![(String::new(), Value::Null)],
            false => {
                let json = |(name, value): (&String, &toml::Value)| {
                    let value = serde_json::to_value(value).map_err(|e| e.to_string())?;
                    Ok::<_, String>((format!("/{name}"), with_nulls(value)))
                };
                self.cases.iter().map(json).collect::<Result<_, _>>()?
            }
        };
        for (case, value) in &cases {
            for version in &versions {
                scripts.push(self.script(family, key, case, value, *version)?);
            }
        }
        Ok(())
    }

    fn script(
        &self,
        family: &str,
        key: Option<ApiKey>,
        case: &str,
        value: &Value,
        version: Option<i16>,
    ) -> Result<Script, String> {
        let mark = match (version, &self.versions) {
            (Some(version), Some(_)) => format!("@v{version}"),
            _ => String::new(),
        };
        let steps = with_case(with_nulls(self.steps.clone()), value)?;
        let steps: Vec<Step> = serde_json::from_value(steps).map_err(|error| error.to_string())?;
        let mut kept = Vec::new();
        for step in steps {
            let counts = match (&step.versions, version) {
                (Some(text), Some(version)) => range(text)?.contains(&version),
                _ => true,
            };
            if counts {
                kept.push(step);
            }
        }
        Ok(Script {
            name: format!("{family}/{}{case}{mark}", self.name),
            subject: key.zip(version),
            topics: self.topics.clone(),
            steps: kept,
        })
    }
}

fn range(text: &str) -> Result<std::ops::RangeInclusive<i16>, String> {
    let number = |text: &str| text.trim().parse::<i16>().map_err(|_| format!("no range: {text}"));
    match text.split_once('-') {
        Some((low, high)) => Ok(number(low)?..=number(high)?),
        None => Ok(number(text)?..=number(text)?),
    }
}

fn with_nulls(value: Value) -> Value {
    match value {
        Value::String(text) if text == NULL => Value::Null,
        Value::Array(values) => values.into_iter().map(with_nulls).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, with_nulls(value))).collect()
        }
        other => other,
    }
}

/// Puts the case, or a field of it (`$case.field`), wherever it is named. [`MERGED`] in an
/// object puts all of the case's fields into it.
fn with_case(value: Value, case: &Value) -> Result<Value, String> {
    Ok(match value {
        Value::String(text) if text == "$case" => case.clone(),
        Value::String(text) if text.starts_with("$case.") => {
            let name = &text["$case.".len()..];
            case.get(name).cloned().ok_or_else(|| format!("the case has no {name}"))?
        }
        Value::Array(values) => {
            values.into_iter().map(|value| with_case(value, case)).collect::<Result<_, _>>()?
        }
        Value::Object(fields) => {
            let mut whole = Map::new();
            let merged = fields.contains_key(MERGED);
            for (name, value) in fields.into_iter().filter(|(name, _)| name != MERGED) {
                whole.insert(name, with_case(value, case)?);
            }
            if merged {
                let more = case.as_object().ok_or("the case is no table")?;
                whole.extend(more.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            Value::Object(whole)
        }
        other => other,
    })
}
