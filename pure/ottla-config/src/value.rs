//! From a key's text to its typed value. Trims as Kafka's ConfigDef does; checks ranges nowhere.

use std::fmt;

use crate::definition::{ConfigType, KeyDef};
use crate::invalid::Invalid;
use crate::list;

/// A Rust type a key's value can have.
pub trait ConfigValue: Sized {
    const TYPE: ConfigType;

    /// The error is Kafka's reason, the part after the key's name.
    fn from_text(text: &str) -> Result<Self, String>;

    /// Null is an error for all but optional values.
    fn from_optional(text: Option<&str>) -> Result<Self, String> {
        match text {
            Some(text) => Self::from_text(text),
            None => Err("must not be null".into()),
        }
    }
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(String);

impl Password {
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

/// The name of a Java class; kept as text, never loaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClassName(pub String);

macro_rules! numbers {
    ($($type:ty = $config_type:ident;)*) => {$(
        impl ConfigValue for $type {
            const TYPE: ConfigType = ConfigType::$config_type;

            fn from_text(text: &str) -> Result<Self, String> {
                text.trim().parse().map_err(|_| {
                    format!("Not a number of type {}", ConfigType::$config_type.name())
                })
            }
        }
    )*};
}

numbers! {
    i32 = Int;
    i16 = Short;
    i64 = Long;
    f64 = Double;
}

impl ConfigValue for bool {
    const TYPE: ConfigType = ConfigType::Boolean;

    fn from_text(text: &str) -> Result<Self, String> {
        match text.trim() {
            word if word.eq_ignore_ascii_case("true") => Ok(true),
            word if word.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err("Expected value to be either true or false".into()),
        }
    }
}

impl ConfigValue for String {
    const TYPE: ConfigType = ConfigType::String;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.trim().to_owned())
    }
}

impl ConfigValue for Vec<String> {
    const TYPE: ConfigType = ConfigType::List;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(list::elements(text).into_iter().map(str::to_owned).collect())
    }
}

impl ConfigValue for Password {
    const TYPE: ConfigType = ConfigType::Password;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(Password(text.trim().to_owned()))
    }
}

impl ConfigValue for ClassName {
    const TYPE: ConfigType = ConfigType::Class;

    fn from_text(text: &str) -> Result<Self, String> {
        Ok(ClassName(text.trim().to_owned()))
    }
}

impl<T: ConfigValue> ConfigValue for Option<T> {
    const TYPE: ConfigType = T::TYPE;

    fn from_text(text: &str) -> Result<Self, String> {
        T::from_text(text).map(Some)
    }

    fn from_optional(text: Option<&str>) -> Result<Self, String> {
        text.map(T::from_text).transpose()
    }
}

/// What happens to a topic's old segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CleanupPolicy {
    pub delete: bool,
    pub compact: bool,
}

impl ConfigValue for CleanupPolicy {
    const TYPE: ConfigType = ConfigType::List;

    fn from_text(text: &str) -> Result<Self, String> {
        let words = list::elements(text);
        Ok(CleanupPolicy { delete: words.contains(&"delete"), compact: words.contains(&"compact") })
    }
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }

        impl ConfigValue for $name {
            const TYPE: ConfigType = ConfigType::String;

            fn from_text(text: &str) -> Result<Self, String> {
                match text.trim() {
                    $(word if word.eq_ignore_ascii_case($word) => Ok($name::$variant),)*
                    _ => Err(format!("String must be one of: {}", [$($word),*].join(", "))),
                }
            }
        }
    };
}

words! {
    /// How the log stores batches.
    CompressionType {
        /// As the producer sent them.
        Producer = "producer",
        Uncompressed = "uncompressed",
        Gzip = "gzip",
        Snappy = "snappy",
        Lz4 = "lz4",
        Zstd = "zstd",
    }
}

words! {
    /// Whose clock a record's timestamp is read from.
    TimestampType {
        CreateTime = "CreateTime",
        LogAppendTime = "LogAppendTime",
    }
}

words! {
    /// When an acknowledged record is safe.
    FlushMode {
        /// When it is on stable storage: survives a power cut.
        Wal = "wal",
        /// When the operating system has it: survives a killed process.
        None = "none",
    }
}

/// Checks one value against its key, in Kafka's words. `name` is the key as the user wrote it.
pub(crate) fn verify(def: &KeyDef, name: &str, text: Option<&str>) -> Result<(), Invalid> {
    let Some(text) = text.map(str::trim) else {
        let refused = || Invalid::new(name, None, "must not be null");
        return if def.default.is_none() { Ok(()) } else { Err(refused()) };
    };
    let shown = if def.sensitive() { "[hidden]" } else { text };
    verify_type(def.value_type, text).map_err(|why| Invalid::new(name, Some(shown), why))?;
    def.check.verify(name, text)
}

/// Checks that a text has a type, without keeping the value.
fn verify_type(value_type: ConfigType, text: &str) -> Result<(), String> {
    match value_type {
        ConfigType::Boolean => bool::from_text(text).map(drop),
        ConfigType::Int => i32::from_text(text).map(drop),
        ConfigType::Short => i16::from_text(text).map(drop),
        ConfigType::Long => i64::from_text(text).map(drop),
        ConfigType::Double => f64::from_text(text).map(drop),
        ConfigType::String | ConfigType::List | ConfigType::Class | ConfigType::Password => Ok(()),
    }
}
