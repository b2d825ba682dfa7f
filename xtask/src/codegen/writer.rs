//! The `write` function of one structure.

use std::fmt::Write;

use super::expression::{condition, flex, is_default, is_nullable, mentions};
use super::schema::{Field, Message, Struct, Type, ident};

pub(crate) fn function(message: &Message, structure: &Struct) -> String {
    let mut out = String::new();
    let mut body = String::new();
    for field in &structure.fields {
        if field.tag.is_some() {
            absent_tag(message, structure, field, &mut body);
        } else {
            plain(message, structure, field, &mut body);
        }
    }
    tags(message, structure, &mut body);
    let flexible_from = message.flexible.filter(|_| mentions(&body, "flex"));
    let version = if flexible_from.is_some() || mentions(&body, "v") { "v" } else { "_v" };
    let writer = if mentions(&body, "e") { "e" } else { "_e" };
    let _ = writeln!(
        out,
        "    pub(crate) fn write(&self, {writer}: &mut Encoder, {version}: i16) -> Result<(), EncodeError> {{"
    );
    if let Some(first) = flexible_from {
        let _ = writeln!(out, "        let flex = v >= {first};");
    }
    out.push_str(&body);
    out.push_str("        Ok(())\n    }\n");
    out
}

/// An untagged field: written where present, refused where it would be lost.
fn plain(message: &Message, structure: &Struct, field: &Field, body: &mut String) {
    let name = ident(field);
    let write = write_field(message, structure, field, "e");
    let label = label(structure, field);
    let _ = match (condition(field.versions, message.versions), field.ignorable) {
        (None, _) => writeln!(body, "        {write}"),
        (Some(when), true) => writeln!(body, "        if {when} {{ {write} }}"),
        (Some(when), false) => writeln!(
            body,
            "        if {when} {{ {write} }} else if !({}) {{ return Err(e.not_in_version({label})); }}",
            is_default(field, &name)
        ),
    };
}

fn absent_tag(message: &Message, structure: &Struct, field: &Field, body: &mut String) {
    if let (Some(when), false) = (condition(field.versions, message.versions), field.ignorable) {
        let _ = writeln!(
            body,
            "        if !({when}) && !({}) {{ return Err(e.not_in_version({})); }}",
            is_default(field, &ident(field)),
            label(structure, field)
        );
    }
}

fn tags(message: &Message, structure: &Struct, body: &mut String) {
    if message.flexible.is_none() {
        return;
    }
    let mut tagged: Vec<&Field> = structure.fields.iter().filter(|f| f.tag.is_some()).collect();
    tagged.sort_by_key(|f| f.tag);
    body.push_str("        let unknown = &self.unknown_tagged_fields;\n");
    body.push_str("        if !flex {\n            if !unknown.is_empty() { return Err(e.not_in_version(\"unknown tagged fields\")); }\n            return Ok(());\n        }\n");
    if tagged.is_empty() {
        body.push_str("        e.put_unsigned_varint(unknown.len() as u32);\n        e.rest_of_raw_tags(unknown, 0);\n");
        return;
    }
    body.push_str("        let mut count = unknown.len();\n");
    for field in &tagged {
        let present = present(message, field);
        let _ = writeln!(body, "        let has_{} = {present};", trimmed(field));
        let _ = writeln!(body, "        count += usize::from(has_{});", trimmed(field));
    }
    body.push_str("        e.put_unsigned_varint(count as u32);\n        let mut at = 0;\n");
    for field in &tagged {
        let tag = field.tag.unwrap_or(0);
        // Also where the field is absent: its tag is taken in this version.
        let raw = format!("at = e.raw_tags(unknown, at, {tag})?;");
        let _ = match condition(field.versions, message.versions) {
            Some(when) => writeln!(body, "        if {when} {{ {raw} }}"),
            None => writeln!(body, "        {raw}"),
        };
        let _ = writeln!(body, "        if has_{} {{", trimmed(field));
        let _ = writeln!(body, "            let mut t = e.begin_tag();");
        let _ =
            writeln!(body, "            {}", write_field(message, structure, field, "(&mut t)"));
        let _ = writeln!(body, "            e.end_tag({tag}, t);\n        }}");
    }
    body.push_str("        e.rest_of_raw_tags(unknown, at);\n");
}

fn trimmed(field: &Field) -> String {
    ident(field).trim_start_matches("r#").to_string()
}

fn present(message: &Message, field: &Field) -> String {
    let set = format!("!({})", is_default(field, &ident(field)));
    match condition(field.versions, message.versions) {
        Some(when) => format!("{when} && {set}"),
        None => set,
    }
}

fn label(structure: &Struct, field: &Field) -> String {
    format!("\"{}.{}\"", structure.name, field.name)
}

/// The statement that writes one field where it is present, to the encoder `e`.
fn write_field(message: &Message, structure: &Struct, field: &Field, e: &str) -> String {
    let name = ident(field);
    let label = label(structure, field);
    if !is_nullable(field) {
        return write_value(message, field, &format!("self.{name}"), &label, e);
    }
    let write = write_value(message, field, "x", &label, e);
    let some = if matches!(field.type_, Type::Struct(_)) && field.nullable.is_some() {
        format!("{{ {e}.put_i8(1); {write} }}")
    } else {
        format!("{{ {write} }}")
    };
    let refuse = format!("None => return Err(e.unexpected_null({label}))");
    let Some(nullable) = field.nullable else {
        return format!("match &self.{name} {{ Some(x) => {some} {refuse} }}");
    };
    let null = null(message, field, e);
    match condition(nullable, field.versions) {
        None => format!("match &self.{name} {{ Some(x) => {some} None => {null} }}"),
        Some(when) => {
            let some = match field.type_ {
                Type::Struct(_) => format!("{{ if {when} {{ {e}.put_i8(1); }} {write} }}"),
                _ => some,
            };
            format!("match &self.{name} {{ Some(x) => {some} None if {when} => {null}, {refuse} }}")
        }
    }
}

fn null(message: &Message, field: &Field, e: &str) -> String {
    let flex = flex(message, field);
    match &field.type_ {
        Type::String => format!("{e}.null_string({flex})"),
        // Kafka marks a null structure with -1, but with 0 where it is a tagged field.
        Type::Struct(_) if field.tag.is_some() => format!("{e}.put_i8(0)"),
        Type::Struct(_) => format!("{e}.put_i8(-1)"),
        _ => format!("{e}.null_length({flex})"),
    }
}

fn write_value(message: &Message, field: &Field, value: &str, label: &str, e: &str) -> String {
    let flex = flex(message, field);
    // A value matched out of an `Option` is a reference already.
    let (by_ref, by_value) = match value {
        "x" => ("x".to_string(), "*x".to_string()),
        _ => (format!("&{value}"), value.to_string()),
    };
    match &field.type_ {
        Type::Bool => format!("{e}.put_bool({by_value});"),
        Type::Int(name) => format!("{e}.put_{name}({by_value});"),
        Type::Float64 => format!("{e}.put_f64({by_value});"),
        Type::Uuid => format!("{e}.put_uuid({by_value});"),
        Type::String => format!("{e}.string({label}, {value}.as_bytes(), {flex})?;"),
        Type::Bytes | Type::Records => format!("{e}.bytes({label}, {by_ref}, {flex})?;"),
        Type::Struct(_) => format!("{value}.write({}, v)?;", inner(e)),
        Type::Array(element) => {
            let each = match &**element {
                Type::Int("i32") => {
                    return format!(
                        "{e}.length({label}, {value}.len(), {flex})?; {e}.put_i32s({by_ref});"
                    );
                }
                Type::Int(name) => format!("{e}.put_{name}(*y);"),
                Type::Uuid => format!("{e}.put_uuid(*y);"),
                Type::String => format!("{e}.string({label}, y.as_bytes(), {flex})?;"),
                Type::Bytes => format!("{e}.bytes({label}, y, {flex})?;"),
                _ => format!("y.write({}, v)?;", inner(e)),
            };
            format!("{e}.length({label}, {value}.len(), {flex})?; for y in {by_ref} {{ {each} }}")
        }
    }
}

/// The encoder as an argument.
fn inner(e: &str) -> &str {
    if e == "e" { "e" } else { "&mut t" }
}
