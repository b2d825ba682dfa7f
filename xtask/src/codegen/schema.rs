//! The schema notation: its model, its parser, and the names Rust gives to what it declares.

/// The highest version a range like `3+` can mean.
pub(crate) const OPEN: i16 = i16::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    Response,
    Header,
    Metadata,
    Record,
}

/// Versions from the first to the second, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range(pub(crate) i16, pub(crate) i16);

#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    pub(crate) key: Option<i16>,
    pub(crate) versions: Range,
    /// What Apache Kafka 4.4.0 itself reads and writes, where Ottla goes further down.
    pub(crate) kafka_versions: Range,
    pub(crate) flexible: Option<i16>,
    pub(crate) unstable: bool,
    pub(crate) broker: bool,
    pub(crate) controller: bool,
    /// The message itself first, then every structure inside it.
    pub(crate) structs: Vec<Struct>,
}

#[derive(Debug, Clone)]
pub(crate) struct Struct {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Bool,
    Int(&'static str),
    Float64,
    Uuid,
    String,
    Bytes,
    Records,
    Struct(String),
    Array(Box<Type>),
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) type_: Type,
    pub(crate) versions: Range,
    pub(crate) nullable: Option<Range>,
    pub(crate) tag: Option<u32>,
    pub(crate) default: Option<String>,
    pub(crate) ignorable: bool,
    /// Never in the compact form, whatever the version (the client id of request headers).
    pub(crate) inflexible: bool,
}

impl Range {
    pub(crate) fn contains(self, version: i16) -> bool {
        (self.0..=self.1).contains(&version)
    }

    pub(crate) fn intersect(self, other: Range) -> Option<Range> {
        let (low, high) = (self.0.max(other.0), self.1.min(other.1));
        (low <= high).then_some(Range(low, high))
    }
}

impl Message {
    pub(crate) fn is_flexible(&self, version: i16) -> bool {
        self.flexible.is_some_and(|first| version >= first)
    }

    pub(crate) fn find(&self, name: &str) -> &Struct {
        let found = self.structs.iter().find(|s| s.name == name);
        found.unwrap_or_else(|| panic!("{}: no structure {name}", self.name))
    }
}

/// Reads one schema file.
pub(crate) fn parse(text: &str) -> Result<Message, String> {
    let mut lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .filter(|line| !line.trim().is_empty());
    let mut message = head(lines.next().ok_or("empty")?)?;
    // Structures being filled, outermost first: index into `message.structs` and indentation of its fields.
    let mut open: Vec<(usize, usize)> = vec![(0, 2)];
    for line in lines {
        let indent = line.len() - line.trim_start().len();
        let words: Vec<&str> = line.split_whitespace().collect();
        if indent == 0 {
            let ["struct", name, ..] = words[..] else { return Err(format!("odd line: {line}")) };
            message.structs.push(Struct { name: name.to_string(), fields: Vec::new() });
            open = vec![(message.structs.len() - 1, 2)];
            continue;
        }
        while open.last().is_some_and(|(_, fields)| *fields > indent) {
            open.pop();
        }
        let Some((owner, fields)) = open.last().copied() else {
            return Err(format!("odd indentation: {line}"));
        };
        if fields < indent {
            let name = message.structs[owner].fields.last().and_then(|f| struct_name(&f.type_));
            let name = name.ok_or_else(|| format!("fields under no structure: {line}"))?;
            message.structs.push(Struct { name, fields: Vec::new() });
            open.push((message.structs.len() - 1, indent));
        }
        let owner = open.last().map_or(0, |(owner, _)| *owner);
        let field = field(&words, message.versions).map_err(|e| format!("{e}: {line}"))?;
        if let Some(field) = field {
            message.structs[owner].fields.push(field);
        }
    }
    Ok(message)
}

pub(crate) fn struct_name(type_: &Type) -> Option<String> {
    match type_ {
        Type::Struct(name) => Some(name.clone()),
        Type::Array(element) => struct_name(element),
        _ => None,
    }
}

fn head(line: &str) -> Result<Message, String> {
    let mut words = line.split_whitespace();
    let kind = match words.next() {
        Some("request") => Kind::Request,
        Some("response") => Kind::Response,
        Some("header") => Kind::Header,
        Some("metadata") => Kind::Metadata,
        Some("data" | "coordinator-key" | "coordinator-value") => Kind::Record,
        other => return Err(format!("unknown kind {other:?}")),
    };
    let name = words.next().ok_or("no name")?.to_string();
    let mut message = Message {
        kind,
        key: None,
        versions: Range(0, 0),
        kafka_versions: Range(0, 0),
        flexible: None,
        unstable: false,
        broker: false,
        controller: false,
        structs: vec![Struct { name: name.clone(), fields: Vec::new() }],
        name,
    };
    let mut kafka = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} of what?"));
        match word {
            "key" => message.key = Some(value()?.parse().map_err(|_| "odd key")?),
            "versions" => message.versions = range(value()?)?,
            "kafka" => kafka = Some(range(value()?)?),
            "flexible" => {
                message.flexible = match value()? {
                    "none" => None,
                    from => Some(range(from)?.0),
                }
            }
            "unstable" => message.unstable = true,
            "broker" => message.broker = true,
            "controller" => message.controller = true,
            other => return Err(format!("unknown word {other}")),
        }
    }
    message.kafka_versions = kafka.unwrap_or(message.versions);
    Ok(message)
}

/// `None` for a field that no valid version has.
fn field(words: &[&str], valid: Range) -> Result<Option<Field>, String> {
    let [name, type_, versions, rest @ ..] = words else { return Err("short field".into()) };
    let Some(versions) = range(versions)?.intersect(valid) else { return Ok(None) };
    let mut field = Field {
        name: name.to_string(),
        type_: parse_type(type_),
        versions,
        nullable: None,
        tag: None,
        default: None,
        ignorable: false,
        inflexible: false,
    };
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        let mut value = || words.next().copied().ok_or_else(|| format!("{word} of what?"));
        match *word {
            "null" => field.nullable = range(value()?)?.intersect(versions),
            "tag" => {
                field.tag = Some(value()?.parse().map_err(|_| "odd tag")?);
                let tagged = range(value()?)?.intersect(valid);
                if tagged != Some(versions) {
                    return Err("a tagged field must be tagged in all its versions".into());
                }
            }
            "=" => field.default = Some(value()?.to_string()),
            "ignorable" => field.ignorable = true,
            "inflexible" => field.inflexible = true,
            "mapkey" => {}
            "entity" => drop(value()?),
            other => return Err(format!("unknown word {other}")),
        }
    }
    Ok(Some(field))
}

fn range(text: &str) -> Result<Range, String> {
    let number = |t: &str| t.parse::<i16>().map_err(|_| format!("odd versions {text}"));
    if let Some(from) = text.strip_suffix('+') {
        return Ok(Range(number(from)?, OPEN));
    }
    match text.split_once('-') {
        Some((from, to)) => Ok(Range(number(from)?, number(to)?)),
        None => Ok(Range(number(text)?, number(text)?)),
    }
}

fn parse_type(text: &str) -> Type {
    if let Some(element) = text.strip_prefix("[]") {
        return Type::Array(Box::new(parse_type(element)));
    }
    match text {
        "bool" => Type::Bool,
        "int8" => Type::Int("i8"),
        "int16" => Type::Int("i16"),
        "uint16" => Type::Int("u16"),
        "int32" => Type::Int("i32"),
        "uint32" => Type::Int("u32"),
        "int64" => Type::Int("i64"),
        "float64" => Type::Float64,
        "uuid" => Type::Uuid,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        name => Type::Struct(name.to_string()),
    }
}

/// `TopicIdPartition` to `topic_id_partition`, `HTTPPort` to `http_port`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (i, c) in chars.iter().enumerate() {
        let starts_word = c.is_uppercase()
            && i > 0
            && (!chars[i - 1].is_uppercase() || chars.get(i + 1).is_some_and(|n| n.is_lowercase()));
        if starts_word {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The field's name in Rust.
pub(crate) fn ident(field: &Field) -> String {
    match snake(&field.name).as_str() {
        keyword @ ("type" | "match" | "ref" | "loop" | "move") => format!("r#{keyword}"),
        name => name.to_string(),
    }
}

#[cfg(test)]
mod tests;
