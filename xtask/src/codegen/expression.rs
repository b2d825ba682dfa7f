//! Small pieces of Rust that readers and writers share: version conditions, types, defaults, least sizes.

use super::schema::{Field, Message, Range, Type};

/// When `v` is in `range`, given that it is in `valid`: `None` means always.
pub(crate) fn condition(range: Range, valid: Range) -> Option<String> {
    match (range.0 <= valid.0, range.1 >= valid.1) {
        (true, true) => None,
        (false, true) => Some(format!("v >= {}", range.0)),
        (true, false) => Some(format!("v <= {}", range.1)),
        (false, false) if range.0 == range.1 => Some(format!("v == {}", range.0)),
        (false, false) => Some(format!("({}..={}).contains(&v)", range.0, range.1)),
    }
}

/// Whether `code` has `word` outside its string literals.
pub(crate) fn mentions(code: &str, word: &str) -> bool {
    let outside = code.lines().flat_map(|line| line.split('"').step_by(2));
    let mut words = outside.flat_map(|part| part.split(|c: char| !c.is_alphanumeric() && c != '_'));
    words.any(|found| found == word)
}

/// Whether this field's lengths are compact, as an expression over `flex`.
pub(crate) fn flex(message: &Message, field: &Field) -> &'static str {
    match message.flexible {
        Some(first) if !field.inflexible => {
            let first_seen = field.versions.0.max(message.versions.0);
            if first <= first_seen { "true" } else { "flex" }
        }
        _ => "false",
    }
}

pub(crate) fn is_nullable(field: &Field) -> bool {
    field.nullable.is_some() || field.type_ == Type::Records
}

pub(crate) fn rust_type(field: &Field) -> String {
    let plain = plain_type(&field.type_);
    if is_nullable(field) { format!("Option<{plain}>") } else { plain }
}

pub(crate) fn plain_type(type_: &Type) -> String {
    match type_ {
        Type::Bool => "bool".into(),
        Type::Int(name) => name.to_string(),
        Type::Float64 => "f64".into(),
        Type::Uuid => "Uuid".into(),
        Type::String => "Str".into(),
        Type::Bytes | Type::Records => "Bytes".into(),
        Type::Struct(name) => name.clone(),
        Type::Array(element) => format!("Vec<{}>", plain_type(element)),
    }
}

/// The value a field has when nobody set it.
pub(crate) fn default(field: &Field) -> String {
    if is_nullable(field) {
        let null = field.default.as_deref() == Some("null") || field.type_ == Type::Records;
        return if null { "None".into() } else { format!("Some({})", plain_default(field)) };
    }
    plain_default(field)
}

fn plain_default(field: &Field) -> String {
    match (&field.type_, field.default.as_deref()) {
        (Type::Bool, value) => value.unwrap_or("false").to_string(),
        (Type::Int(_), value) => value.unwrap_or("0").to_string(),
        (Type::Float64, value) => format!("{}f64", value.unwrap_or("0.0")),
        (Type::Uuid, _) => "Uuid::ZERO".into(),
        (Type::String, Some(value)) if value != "null" => format!("Str::from_static({value:?})"),
        (Type::String, _) => "Str::default()".into(),
        (Type::Bytes | Type::Records, _) => "Bytes::new()".into(),
        (Type::Struct(name), _) => format!("{name}::default()"),
        (Type::Array(_), _) => "Vec::new()".into(),
    }
}

/// Whether `#[derive(Default)]` would say the same.
pub(crate) fn default_is_derived(field: &Field) -> bool {
    match default(field).as_str() {
        "None" | "false" | "0" | "0.0f64" | "Uuid::ZERO" | "Str::default()" | "Bytes::new()"
        | "Vec::new()" => true,
        text => text.ends_with("::default()") && !text.starts_with("Some("),
    }
}

/// Whether `self.{name}` holds its default.
pub(crate) fn is_default(field: &Field, name: &str) -> String {
    let value = default(field);
    if value == "None" {
        return format!("self.{name}.is_none()");
    }
    if is_nullable(field) {
        let inner = match field.type_ {
            Type::Struct(_) => format!("*x == {}", plain_default(field)),
            _ => "x.is_empty()".into(),
        };
        return format!("self.{name}.as_ref().is_some_and(|x| {inner})");
    }
    match (&field.type_, value.as_str()) {
        (Type::Bool, "false") => format!("!self.{name}"),
        (Type::Bool, _) => format!("self.{name}"),
        (Type::Uuid, _) => format!("self.{name}.is_zero()"),
        (Type::String, "Str::default()") | (Type::Bytes | Type::Array(_), _) => {
            format!("self.{name}.is_empty()")
        }
        _ => format!("self.{name} == {value}"),
    }
}

/// The fewest bytes an element of this type can take in any version that has it.
pub(crate) fn least_size(message: &Message, element: &Type, versions: Range) -> usize {
    let Some(Range(low, high)) = versions.intersect(message.versions) else { return 0 };
    (low..=high).map(|v| type_size(message, element, v, message.is_flexible(v))).min().unwrap_or(0)
}

fn type_size(message: &Message, type_: &Type, version: i16, flexible: bool) -> usize {
    match type_ {
        Type::Bool | Type::Int("i8") => 1,
        Type::Int("i16" | "u16") => 2,
        Type::Int("i32" | "u32") => 4,
        Type::Int(_) | Type::Float64 => 8,
        Type::Uuid => 16,
        Type::String if !flexible => 2,
        Type::Bytes | Type::Records | Type::Array(_) if !flexible => 4,
        Type::String | Type::Bytes | Type::Records | Type::Array(_) => 1,
        Type::Struct(name) => struct_size(message, name, version, flexible),
    }
}

fn struct_size(message: &Message, name: &str, version: i16, flexible: bool) -> usize {
    let fields = message.find(name).fields.iter();
    let fields = fields.filter(|f| f.tag.is_none() && f.versions.contains(version));
    let sum: usize = fields
        .map(|f| match (&f.type_, f.nullable) {
            (Type::Struct(_), Some(_)) => 1,
            (type_, _) => type_size(message, type_, version, flexible && !f.inflexible),
        })
        .sum();
    sum + usize::from(flexible)
}
