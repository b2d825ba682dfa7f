//! The `read` function of one structure.

use std::fmt::Write;

use super::expression::{condition, default, flex, is_nullable, least_size, mentions, plain_type};
use super::schema::{Field, Message, Struct, Type, ident};

pub(crate) fn function(message: &Message, structure: &Struct) -> String {
    let mut out = String::new();
    let mut body = String::new();
    for field in structure.fields.iter().filter(|f| f.tag.is_none()) {
        let read = read_field(message, structure, field);
        let name = ident(field);
        let _ = match condition(field.versions, message.versions) {
            None => writeln!(body, "        let {name} = {read};"),
            Some(when) => writeln!(
                body,
                "        let {name} = if {when} {{ {read} }} else {{ {} }};",
                default(field)
            ),
        };
    }
    tags(message, structure, &mut body);
    let flexible_from = message.flexible.filter(|_| mentions(&body, "flex"));
    let version = if flexible_from.is_some() || mentions(&body, "v") { "v" } else { "_v" };
    let reader = if mentions(&body, "d") { "d" } else { "_d" };
    let _ = writeln!(
        out,
        "    pub(crate) fn read({reader}: &mut Decoder, {version}: i16) -> Result<Self, DecodeError> {{"
    );
    if let Some(first) = flexible_from {
        let _ = writeln!(out, "        let flex = v >= {first};");
    }
    out.push_str(&body);
    let names: Vec<String> = structure.fields.iter().map(ident).collect();
    let mut all = names.join(", ");
    if message.flexible.is_some() {
        all.push_str(if all.is_empty() { "" } else { ", " });
        all.push_str("unknown_tagged_fields");
    }
    let _ = writeln!(out, "        Ok(Self {{ {all} }})\n    }}");
    out
}

fn tags(message: &Message, structure: &Struct, body: &mut String) {
    if message.flexible.is_none() {
        return;
    }
    let tagged: Vec<&Field> = structure.fields.iter().filter(|f| f.tag.is_some()).collect();
    if tagged.is_empty() {
        body.push_str(
            "        let unknown_tagged_fields = if flex { d.unknown_tags()? } else { Vec::new() };\n",
        );
        return;
    }
    for field in &tagged {
        let _ = writeln!(body, "        let mut {} = {};", ident(field), default(field));
    }
    body.push_str("        let mut unknown_tagged_fields = Vec::new();\n");
    body.push_str("        if flex {\n            for _ in 0..d.tag_count()? {\n");
    body.push_str("                let span = d.tag()?;\n                match span.tag {\n");
    for field in &tagged {
        let when = match condition(field.versions, message.versions) {
            Some(when) => format!(" if {when}"),
            None => String::new(),
        };
        let _ = writeln!(
            body,
            "                    {}{when} => {} = {},",
            field.tag.unwrap_or(0),
            ident(field),
            read_field(message, structure, field),
        );
    }
    body.push_str("                    _ => d.raw_tag(span, &mut unknown_tagged_fields)?,\n");
    body.push_str(
        "                }\n                d.end_tag(span)?;\n            }\n        }\n",
    );
}

/// The expression that reads one field where it is present.
fn read_field(message: &Message, structure: &Struct, field: &Field) -> String {
    let label = format!("\"{}.{}\"", structure.name, field.name);
    if !is_nullable(field) {
        return read_value(message, field, &label, false);
    }
    let Some(nullable) = field.nullable else {
        // Records that this version never leaves out: null is an error, the type stays optional.
        return format!("Some({})", read_value(message, field, &label, false));
    };
    let read = read_value(message, field, &label, true);
    match condition(nullable, field.versions) {
        None => read,
        Some(when) => {
            let plain = read_value(message, field, &label, false);
            format!("if {when} {{ {read} }} else {{ Some({plain}) }}")
        }
    }
}

fn read_value(message: &Message, field: &Field, label: &str, nullable: bool) -> String {
    let flex = flex(message, field);
    let prefix = if nullable { "nullable_" } else { "" };
    match &field.type_ {
        Type::Bool => format!("d.bool({label})?"),
        Type::Int(name) => format!("d.{name}({label})?"),
        Type::Float64 => format!("d.f64({label})?"),
        Type::Uuid => format!("d.uuid({label})?"),
        Type::String => format!("d.{prefix}string({label}, {flex})?"),
        Type::Bytes | Type::Records => format!("d.{prefix}bytes({label}, {flex})?"),
        Type::Struct(name) if nullable && field.tag.is_some() => {
            format!("if d.tag_present({label})? {{ Some({name}::read(d, v)?) }} else {{ None }}")
        }
        Type::Struct(name) if nullable => {
            format!("if d.present({label})? {{ Some({name}::read(d, v)?) }} else {{ None }}")
        }
        Type::Struct(name) => format!("{name}::read(d, v)?"),
        Type::Array(element) => {
            let least = least_size(message, element, field.versions);
            let read = element_reader(element, flex);
            format!("d.{prefix}array({label}, {flex}, {least}, {read}, v)?")
        }
    }
}

fn element_reader(element: &Type, flex: &str) -> String {
    let named = |name: &str| match flex {
        "true" => format!("element::compact_{name}"),
        "false" => format!("element::{name}"),
        _ => format!("if flex {{ element::compact_{name} }} else {{ element::{name} }}"),
    };
    match element {
        Type::Struct(name) => format!("{name}::read"),
        Type::String => named("string"),
        Type::Bytes => named("bytes"),
        Type::Uuid => "element::uuid".into(),
        other => format!("element::{}", plain_type(other)),
    }
}
