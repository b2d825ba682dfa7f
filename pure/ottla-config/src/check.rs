//! What a key's value must be, beyond its type. Checks one value; rules between keys are elsewhere.

use crate::list;

/// One check of one key, as data, so that it also describes itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Check {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    DoubleBetween(f64, f64),
    OneOf(&'static [&'static str]),
    OneOfIgnoringCase(&'static [&'static str]),
    /// Each element is one of these, none twice.
    ListOf(&'static [&'static str]),
    NonEmptyList,
    NonEmpty,
    NonNull,
    /// 1 to 9, or -1 for the codec's own default.
    GzipLevel,
    /// `*`, or partition:broker pairs.
    ThrottledReplicas,
    /// latest, earliest, or by_duration: and an ISO 8601 duration.
    AutoOffsetReset,
}

/// At least this.
pub(crate) const fn at_least(least: i64) -> Check {
    Check::AtLeast(least)
}

/// From the first to the second, both included.
pub(crate) const fn between(least: i64, most: i64) -> Check {
    Check::Between(least, most)
}

impl Check {
    /// The valid values in Kafka's notation; empty where every value of the type is valid.
    pub fn describe(&self) -> String {
        match self {
            Check::Any => String::new(),
            Check::AtLeast(least) => format!("[{least},...]"),
            Check::Between(least, most) => format!("[{least},...,{most}]"),
            Check::DoubleBetween(least, most) => format!("[{least},...,{most}]"),
            Check::OneOf(words) | Check::ListOf(words) => format!("[{}]", words.join(", ")),
            Check::OneOfIgnoringCase(words) => {
                format!("(case insensitive) [{}]", words.join(", "))
            }
            Check::NonEmptyList => "non-empty list".into(),
            Check::NonEmpty => "non-empty string".into(),
            Check::NonNull => "non-null string".into(),
            Check::GzipLevel => "[1,...,9] or -1".into(),
            Check::ThrottledReplicas => {
                "[partitionId]:[brokerId],[partitionId]:[brokerId],...".into()
            }
            Check::AutoOffsetReset => "[latest, earliest, by_duration:PnDTnHnMn.nS]".into(),
        }
    }

    /// The words a completion may offer.
    pub fn words(&self) -> &'static [&'static str] {
        match self {
            Check::OneOf(words) | Check::OneOfIgnoringCase(words) | Check::ListOf(words) => words,
            Check::AutoOffsetReset => &["latest", "earliest"],
            _ => &[],
        }
    }

    /// Checks a value that has its type already; the error is Kafka's reason.
    pub(crate) fn verify(&self, text: &str) -> Result<(), String> {
        match self {
            Check::Any | Check::NonNull => Ok(()),
            Check::AtLeast(least) => in_range(text, Some(*least), None),
            Check::Between(least, most) => in_range(text, Some(*least), Some(*most)),
            Check::DoubleBetween(least, most) => in_double_range(text, *least, *most),
            Check::OneOf(words) => {
                require(words.contains(&text), || one_of(words, "String must be one of"))
            }
            Check::OneOfIgnoringCase(words) => {
                require(words.iter().any(|word| word.eq_ignore_ascii_case(text)), || {
                    one_of(words, "String must be one of (case insensitive)")
                })
            }
            Check::ListOf(words) => list_of(text, words),
            Check::NonEmptyList => list::refuse_blanks_and_repeats(text),
            Check::NonEmpty => require(!text.is_empty(), || "String must be non-empty".into()),
            Check::GzipLevel => {
                require(text == "-1" || in_range(text, Some(1), Some(9)).is_ok(), || {
                    "Value must be between 1 and 9 or equal to -1".into()
                })
            }
            Check::ThrottledReplicas => throttled_replicas(text),
            Check::AutoOffsetReset => auto_offset_reset(text),
        }
    }
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

fn one_of(words: &[&str], phrase: &str) -> String {
    format!("{phrase}: {}", words.join(", "))
}

fn in_range(text: &str, least: Option<i64>, most: Option<i64>) -> Result<(), String> {
    let Ok(number) = text.parse::<i64>() else { return Ok(()) };
    match (least, most) {
        (Some(least), _) if number < least => Err(format!("Value must be at least {least}")),
        (_, Some(most)) if number > most => Err(format!("Value must be no more than {most}")),
        _ => Ok(()),
    }
}

fn in_double_range(text: &str, least: f64, most: f64) -> Result<(), String> {
    let Ok(number) = text.parse::<f64>() else { return Ok(()) };
    if number < least {
        return Err(format!("Value must be at least {least}"));
    }
    require(number <= most, || format!("Value must be no more than {most}"))
}

fn list_of(text: &str, words: &[&str]) -> Result<(), String> {
    list::refuse_blanks_and_repeats(text)?;
    let stranger = list::elements(text).into_iter().find(|element| !words.contains(element));
    require(stranger.is_none(), || one_of(words, "String must be one of"))
}

fn throttled_replicas(text: &str) -> Result<(), String> {
    let elements = list::elements(text);
    let is_pair = |element: &&str| {
        element.split_once(':').is_some_and(|(partition, broker)| {
            let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            number(partition) && number(broker)
        })
    };
    require(text.trim() == "*" || elements.iter().all(is_pair), || {
        "Must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
            .into()
    })
}

fn auto_offset_reset(text: &str) -> Result<(), String> {
    let lower = text.to_ascii_lowercase();
    let by_duration = lower.strip_prefix("by_duration:").is_some_and(is_iso_duration);
    require(matches!(lower.as_str(), "latest" | "earliest") || by_duration, || {
        format!(
            "Invalid value `{text}` for configuration share.auto.offset.reset. The value must be \
             either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
        )
    })
}

/// Days, hours, minutes and seconds of ISO 8601, not negative.
fn is_iso_duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('p') else { return false };
    let (days, time) = match rest.split_once('t') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    let days_fit = days.is_empty() || has_units(days, "d");
    let time_fits = time.is_none_or(|time| has_units(time, "hms"));
    days_fit && time_fits && !(days.is_empty() && time.is_none())
}

/// Numbers each followed by one of `units`, in their order; at least one.
fn has_units(text: &str, units: &str) -> bool {
    let (mut rest, mut after, mut found) = (text, 0, false);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(|b| b.is_ascii_digit() || *b == b'.').count();
        let unit = rest[digits..].chars().next();
        let Some(place) = unit.and_then(|unit| units[after..].find(unit)) else { return false };
        if digits == 0 || rest[..digits].parse::<f64>().is_err() {
            return false;
        }
        (after, found) = (after + place + 1, true);
        rest = &rest[digits + 1..];
    }
    found
}

#[cfg(test)]
mod tests;
