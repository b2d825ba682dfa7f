//! `ottla config`: what a node would make of its settings. Starts nothing and asks no broker.

use ottla_config::explain::explain;
use ottla_config::keys::keys;
use ottla_config::resolve::{Overrides, broker_text, scoped_text};
use ottla_config::{BrokerConfig, KeyDef, Layers, Remark, Scope, remarks};

use crate::cli::{ConfigCommand, ServerFlags};
use crate::exit::Exit;
use crate::loading::{self, Loaded};
use crate::output::{complain, print};

pub(crate) fn run(command: &ConfigCommand) -> Exit {
    match command {
        ConfigCommand::Explain { key, sources } => with(sources, |loaded| explain_key(key, loaded)),
        ConfigCommand::List { changed, topics, groups, sources } => with(sources, |loaded| {
            let scope = match (topics, groups) {
                (true, _) => Scope::Topic,
                (_, true) => Scope::Group,
                _ => Scope::Broker,
            };
            list(scope, *changed, &loaded.layers)
        }),
        ConfigCommand::Check { sources } => with(sources, check),
    }
}

/// Runs `then` with the settings, or says why they cannot be read.
fn with(sources: &ServerFlags, then: impl FnOnce(&Loaded) -> Exit) -> Exit {
    match loading::load(sources) {
        Ok(loaded) => then(&loaded),
        Err(errors) => {
            errors.iter().for_each(|error| complain(error));
            Exit::Failed
        }
    }
}

fn explain_key(key: &str, loaded: &Loaded) -> Exit {
    match explain(key, &loaded.layers) {
        Ok(explanation) => {
            print(&explanation.to_string());
            Exit::Done
        }
        Err(message) => {
            complain(&message);
            Exit::NotFound
        }
    }
}

fn list(scope: Scope, only_set: bool, layers: &Layers) -> Exit {
    let is_set = |def: &KeyDef| {
        let behind = def.synonyms.iter().any(|synonym| layers.is_set(synonym.name));
        layers.is_set(def.name) || (scope != Scope::Broker && behind)
    };
    let rows = keys(scope).iter().filter(|def| !def.internal);
    let rows: Vec<&&KeyDef> = rows.filter(|def| !only_set || is_set(def)).collect();
    let width = rows.iter().map(|def| def.name.len()).max().unwrap_or(0);
    let lines: String = rows
        .iter()
        .map(|def| format!("{:width$}  {}\n", def.name, value_of(def, layers)))
        .collect();
    print(&lines);
    Exit::Done
}

fn value_of(def: &KeyDef, layers: &Layers) -> String {
    let text = match def.scope {
        Scope::Broker => broker_text(layers, def.name),
        scope => scoped_text(scope, layers, &Overrides::new(), def.name),
    };
    match text {
        Some(_) if def.sensitive() => "[hidden]".into(),
        Some(text) => text,
        None => "null".into(),
    }
}

fn check(loaded: &Loaded) -> Exit {
    let remarks = remarks(&loaded.layers);
    let unknown = remarks.iter().filter(|remark| matches!(remark, Remark::Unknown { .. })).count();
    let lines = remarks.iter().map(ToString::to_string).chain(loaded.notes.iter().cloned());
    let told: String = lines.map(|line| format!("{line}\n")).collect();
    print(&told);
    match BrokerConfig::build(loaded.layers.clone()) {
        Ok(_) => {
            print(&format!("a node would start (unknown keys: {unknown})\n"));
            Exit::Done
        }
        Err(errors) => {
            errors.iter().for_each(|error| complain(&error.to_string()));
            complain(&format!("a node would not start (errors: {})", errors.len()));
            Exit::Failed
        }
    }
}
