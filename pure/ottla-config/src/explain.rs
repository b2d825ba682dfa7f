//! Everything there is to say about one key, for `ottla config explain`. Prints nothing.

use std::fmt;

use crate::definition::{Effect, KeyDef, Scope};
use crate::edit_distance;
use crate::keys;
use crate::keys::removed;
use crate::layers::Layers;
use crate::resolve;
use crate::setting::Setting;

/// A key, its value and where that comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    pub def: &'static KeyDef,
    /// Nothing where it is null; `[hidden]` where it is secret.
    pub value: Option<String>,
    /// In words.
    pub source: String,
    /// Every setting of the key, the one that wins first.
    pub said: Vec<Setting>,
}

/// Explains a broker key, or the topic, group or client metrics key of that name.
pub fn explain(name: &str, layers: &Layers) -> Result<Explanation, String> {
    if let Some(def) = keys::find_broker(name) {
        return Ok(explained(def, layers, name, resolve::broker_text(layers, name)));
    }
    for scope in [Scope::Topic, Scope::Group, Scope::ClientMetrics] {
        if let Some(def) = keys::find(scope, name) {
            let none = resolve::Overrides::new();
            return Ok(explained(
                def,
                layers,
                name,
                resolve::scoped_text(scope, layers, &none, name),
            ));
        }
    }
    Err(unknown(name))
}

fn explained(
    def: &'static KeyDef,
    layers: &Layers,
    name: &str,
    value: Option<String>,
) -> Explanation {
    let hidden = |text: String| if def.sensitive() { "[hidden]".to_owned() } else { text };
    let names = std::iter::once(name).chain(def.synonyms.iter().map(|synonym| synonym.name));
    let said: Vec<Setting> = names.flat_map(|name| layers.said(name)).cloned().collect();
    let source = if layers.dynamic_broker().contains_key(name) {
        "changed while running, on this broker".to_owned()
    } else if layers.dynamic_default().contains_key(name) {
        "changed while running, on all brokers".to_owned()
    } else {
        said.first()
            .map_or("default".to_owned(), |setting| format!("{} ({})", setting.origin, setting.key))
    };
    Explanation { def, value: value.map(hidden), source, said }
}

fn unknown(name: &str) -> String {
    if let Some(reason) = removed::removed(name) {
        return format!("{name} has no effect: {reason}");
    }
    let scopes = [Scope::Broker, Scope::Topic, Scope::Group];
    let names = scopes.into_iter().flat_map(|scope| keys::keys(scope).iter().map(|def| def.name));
    match edit_distance::nearest(name, names) {
        Some(nearest) => format!("unknown configuration {name}; did you mean {nearest}?"),
        None => format!("unknown configuration {name}"),
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let def = self.def;
        let or_null = |text: Option<&str>| match text {
            Some("") => "(empty)".to_owned(),
            Some(text) => text.to_owned(),
            None => "(not set)".to_owned(),
        };
        writeln!(f, "{}", def.name)?;
        writeln!(f, "  {}", def.doc())?;
        writeln!(f)?;
        writeln!(f, "  value        {}", or_null(self.value.as_deref()))?;
        writeln!(f, "  source       {}", self.source)?;
        for setting in self.said.iter().skip(1) {
            let shown = if def.sensitive() { "[hidden]" } else { setting.value.as_str() };
            writeln!(f, "  overridden   {}={} ({})", setting.key, shown, setting.origin)?;
        }
        writeln!(f, "  default      {}", or_null(def.default))?;
        writeln!(f, "  type         {}", def.value_type.name())?;
        let valid = def.check.describe();
        if !valid.is_empty() {
            writeln!(f, "  valid        {valid}")?;
        }
        if def.scope == Scope::Broker {
            writeln!(f, "  update       {}", def.update.name())?;
        }
        let synonyms: Vec<&str> = def.synonyms.iter().map(|synonym| synonym.name).collect();
        if !synonyms.is_empty() {
            writeln!(f, "  draws from   {}", synonyms.join(", "))?;
        }
        match def.effect {
            Effect::InEffect => Ok(()),
            Effect::Accepted(reason) => writeln!(f, "  no effect    {reason}"),
        }
    }
}
