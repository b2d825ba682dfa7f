//! `docs/reference/configs.md`, made from the rows. Writes no file.

use std::fmt::Write;

use crate::definition::{Effect, KeyDef, Scope};
use crate::keys;

const OPENING: &str = "\
# Configuration keys

Made from the rows in `pure/ottla-config/src/keys`; a test rewrites it (`UPDATE=1 cargo test -p ottla-config`).

Names are Kafka's. They may stand in a `.properties` file, in a TOML file with the same dotted keys, in
environment variables (`KAFKA_NUM_PARTITIONS`, `KAFKA_CFG_NUM_PARTITIONS`) and in `--set num.partitions=3`; flags win over
the environment, the environment over the file. `ottla config explain KEY` says which value is in effect, and why.
";

/// The whole page.
pub fn page() -> String {
    let mut page = OPENING.to_owned();
    let sections = [
        ("Broker", Scope::Broker, ""),
        ("Topic", Scope::Topic, "A topic's default comes from the broker keys in the last column."),
        ("Group", Scope::Group, "A group's default comes from the broker key in the last column."),
        ("Client metrics", Scope::ClientMetrics, ""),
    ];
    for (title, scope, preface) in sections {
        let rows = keys::keys(scope);
        let in_effect: Vec<&KeyDef> =
            rows.iter().copied().filter(|def| def.effect == Effect::InEffect).collect();
        let accepted: Vec<&KeyDef> =
            rows.iter().copied().filter(|def| def.effect != Effect::InEffect).collect();
        if !in_effect.is_empty() {
            heading(&mut page, title, preface);
            table(&mut page, &in_effect, scope);
        }
        if !accepted.is_empty() {
            let preface = "Known and checked, so that files written for Kafka work; they change \
                           nothing in this version.";
            heading(&mut page, &format!("{title}, without effect"), preface);
            accepted_table(&mut page, &accepted);
        }
    }
    page
}

fn heading(page: &mut String, title: &str, preface: &str) {
    page.push_str(&format!("\n## {title}\n\n"));
    if !preface.is_empty() {
        page.push_str(preface);
        page.push_str("\n\n");
    }
}

fn table(page: &mut String, rows: &[&KeyDef], scope: Scope) {
    let last = if scope == Scope::Broker { "Update" } else { "Draws from" };
    line(page, &["Key", "What it is", "Type", "Default", "Valid", "Importance", last]);
    line(page, &["--"; 7]);
    for def in rows {
        let name = format!("`{}`", def.name);
        let synonyms: Vec<String> =
            def.synonyms.iter().map(|synonym| format!("`{}`", synonym.name)).collect();
        let last =
            if scope == Scope::Broker { def.update.name().to_owned() } else { synonyms.join(", ") };
        let importance = def.importance.name().to_lowercase();
        let value_type = def.value_type.name().to_lowercase();
        let (default, valid) = (default_of(def), def.check.describe());
        line(page, &[&name, def.doc(), &value_type, &default, &valid, &importance, &last]);
    }
}

fn accepted_table(page: &mut String, rows: &[&KeyDef]) {
    line(page, &["Key", "What it is in Kafka", "Type", "Default", "Why it changes nothing"]);
    line(page, &["--"; 5]);
    for def in rows {
        let Effect::Accepted(reason) = def.effect else { continue };
        let name = format!("`{}`", def.name);
        let value_type = def.value_type.name().to_lowercase();
        line(page, &[&name, def.doc(), &value_type, &default_of(def), reason]);
    }
}

fn default_of(def: &KeyDef) -> String {
    match def.default {
        None => "null".into(),
        Some("") => "\"\"".into(),
        Some(text) => format!("`{text}`"),
    }
}

fn line(page: &mut String, cells: &[&str]) {
    let escaped: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    writeln!(page, "| {} |", escaped.join(" | ")).expect("writing to a text cannot fail");
}
