//! Environment variables as the apache/kafka, cp-kafka and bitnami/kafka images read them, so that
//! a compose file written for those works here. Reads no environment: the variables come in.

use crate::definition::Scope;
use crate::keys;
use crate::keys::removed;
use crate::setting::{Origin, Setting};

/// What the environment says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Environment {
    pub settings: Vec<Setting>,
    /// Variables whose value stands in a file (`*_FILE`): the caller reads it and hands the text to
    /// [`Environment::add_file`].
    pub files: Vec<FileVariable>,
    /// Variables that mean something to another image or to a JVM, and nothing here.
    pub ignored: Vec<String>,
    /// One line each, for the log.
    pub notes: Vec<String>,
}

/// A variable that names a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileVariable {
    /// The variable, without `_FILE`.
    pub variable: String,
    pub path: String,
}

/// Sorts the variables that concern Ottla; all others are passed over.
pub fn parse(variables: impl IntoIterator<Item = (String, String)>) -> Environment {
    let mut variables: Vec<(String, String)> = variables.into_iter().collect();
    variables.sort();
    let mut environment = Environment::default();
    for (variable, value) in variables {
        match variable.strip_suffix("_FILE") {
            Some(base) if is_file_of(base, &variable) => environment
                .files
                .push(FileVariable { variable: base.to_owned(), path: value.trim().to_owned() }),
            _ => environment.add(&variable, &value),
        }
    }
    environment.finish();
    environment
}

impl Environment {
    /// A file's text in the place of its variable; the line break at its end is not part of it.
    pub fn add_file(&mut self, file: &FileVariable, text: &str) {
        self.add(&file.variable, text.trim_end_matches(['\n', '\r']));
        self.finish();
    }

    fn add(&mut self, variable: &str, value: &str) {
        match meaning(variable) {
            Meaning::Key(key) => self.set(key, variable, value),
            Meaning::Ignored => self.ignored.push(variable.to_owned()),
            Meaning::ZooKeeper => {
                let note = format!(
                    "{variable} is not needed: there is no ZooKeeper, Ottla keeps the cluster's \
                     metadata itself"
                );
                self.notes.push(note);
            }
            Meaning::Nothing => {}
        }
    }

    fn set(&mut self, key: String, variable: &str, value: &str) {
        let origin = Origin::Environment { variable: variable.to_owned() };
        self.settings.push(Setting { key, value: value.to_owned(), origin });
    }

    /// `KAFKA_CFG_X` wins over `KAFKA_X`, wherever the two stand.
    fn finish(&mut self) {
        self.settings.sort_by_key(|setting| {
            matches!(&setting.origin, Origin::Environment { variable } if variable.starts_with(CFG))
        });
        self.ignored.sort();
        self.ignored.dedup();
    }

    /// One line that names all variables that were passed over.
    pub fn ignored_note(&self) -> Option<String> {
        if self.ignored.is_empty() {
            return None;
        }
        Some(format!("these variables mean nothing to Ottla: {}", self.ignored.join(", ")))
    }
}

const CFG: &str = "KAFKA_CFG_";

enum Meaning {
    Key(String),
    ZooKeeper,
    Ignored,
    /// Not about Ottla at all.
    Nothing,
}

fn meaning(variable: &str) -> Meaning {
    match variable {
        "CLUSTER_ID" | "KAFKA_CLUSTER_ID" | "KAFKA_KRAFT_CLUSTER_ID" => {
            return Meaning::Key("ottla.cluster.id".into());
        }
        "KAFKA_ZOOKEEPER_CONNECT" | "KAFKA_CFG_ZOOKEEPER_CONNECT" => return Meaning::ZooKeeper,
        _ => {}
    }
    if is_ignored(variable) {
        return Meaning::Ignored;
    }
    if let Some(name) = variable.strip_prefix("OTTLA_") {
        let key = format!("ottla.{}", dotted(name));
        let known = keys::find(Scope::Broker, &key).is_some();
        return if known { Meaning::Key(key) } else { Meaning::Nothing };
    }
    let name = variable.strip_prefix(CFG).or_else(|| variable.strip_prefix("KAFKA_"));
    match name {
        Some("") | None => Meaning::Nothing,
        Some(name) if is_service_link(name) => Meaning::Ignored,
        Some(name) => Meaning::Key(dotted(name)),
    }
}

/// `FOO_BAR` is foo.bar, `__` an underscore, `___` a dash.
fn dotted(name: &str) -> String {
    name.to_ascii_lowercase()
        .replace("___", "-")
        .replace("__", "\u{0}")
        .replace('_', ".")
        .replace('\u{0}', "_")
}

/// Whether a variable that ends with `_FILE` holds the path of another variable's value, rather than
/// being a key that itself ends with `.file`.
fn is_file_of(base: &str, variable: &str) -> bool {
    let is_own_key =
        matches!(meaning(variable), Meaning::Key(key) if keys::find_broker(&key).is_some());
    let base_is_known = match meaning(base) {
        Meaning::Key(key) => keys::find_broker(&key).is_some() || removed::removed(&key).is_some(),
        Meaning::ZooKeeper => true,
        Meaning::Ignored => BITNAMI.contains(&base),
        Meaning::Nothing => false,
    };
    base_is_known && !is_own_key
}

/// Kubernetes puts `KAFKA_PORT`, `KAFKA_SERVICE_HOST` and the like into every pod beside a service
/// that is called kafka.
fn is_service_link(name: &str) -> bool {
    let numbered = name
        .strip_prefix("PORT_")
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    name == "PORT"
        || name.starts_with("SERVICE_HOST")
        || name.starts_with("SERVICE_PORT")
        || numbered
}

fn is_ignored(variable: &str) -> bool {
    EXACT.contains(&variable)
        || BITNAMI.contains(&variable)
        || PREFIXES.iter().any(|prefix| variable.starts_with(prefix))
}

/// Of a JVM and its scripts.
const EXACT: &[&str] = &[
    "KAFKA_HEAP_OPTS",
    "KAFKA_OPTS",
    "KAFKA_VERSION",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_DEBUG",
    "KAFKA_HOME",
    "KAFKA_DATA_DIRS",
    "KAFKA_EXTRA_FLAGS",
    "KAFKA_CLASSPATH",
    "KAFKA_RUN_ARGS",
    "SCALA_VERSION",
];

const PREFIXES: &[&str] = &[
    "KAFKA_JMX_",
    "KAFKA_LOG4J_",
    "KAFKA_TOOLS_LOG4J_",
    "KAFKA_CONFLUENT_",
    "KAFKA_REST_",
    "KAFKA_SCHEMA_REGISTRY_",
    "KAFKA_CONNECT_",
    "KAFKA_UI_",
];

/// What the bitnami image's own scripts read.
const BITNAMI: &[&str] = &[
    "ALLOW_ANONYMOUS_LOGIN",
    "ALLOW_PLAINTEXT_LISTENER",
    "BITNAMI_DEBUG",
    "KAFKA_BASE_DIR",
    "KAFKA_CERTIFICATE_PASSWORD",
    "KAFKA_CLIENT_LISTENER_NAME",
    "KAFKA_CLIENT_PASSWORDS",
    "KAFKA_CLIENT_USERS",
    "KAFKA_CONTROLLER_PASSWORD",
    "KAFKA_CONTROLLER_USER",
    "KAFKA_CREATE_TOPICS",
    "KAFKA_DAEMON_GROUP",
    "KAFKA_DAEMON_USER",
    "KAFKA_ENABLE_KRAFT",
    "KAFKA_INITIAL_CONTROLLERS",
    "KAFKA_INTER_BROKER_PASSWORD",
    "KAFKA_INTER_BROKER_USER",
    "KAFKA_KRAFT_BOOTSTRAP_SCRAM_USERS",
    "KAFKA_MOUNTED_CONF_DIR",
    "KAFKA_SKIP_KRAFT_STORAGE_INIT",
    "KAFKA_TLS_CLIENT_AUTH",
    "KAFKA_TLS_TRUSTSTORE_FILE",
    "KAFKA_TLS_TYPE",
    "KAFKA_VOLUME_DIR",
    "KAFKA_ZOOKEEPER_PASSWORD",
    "KAFKA_ZOOKEEPER_PROTOCOL",
    "KAFKA_ZOOKEEPER_USER",
];
