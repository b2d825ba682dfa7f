//! What a key's value must be, beyond its type. Checks one value; rules between keys are elsewhere.

use crate::invalid::Invalid;
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
    /// Each element is one of these.
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

    /// Checks a value that has its type already. `key` is the key as the user wrote it.
    pub(crate) fn verify(&self, key: &str, text: &str) -> Result<(), Invalid> {
        let refused = |reason: String| Err(Invalid::new(key, Some(text), reason));
        match self {
            Check::Any | Check::NonNull => Ok(()),
            Check::AtLeast(least) => out_of_range(text, *least, i64::MAX).map_or(Ok(()), refused),
            Check::Between(least, most) => {
                out_of_range(text, *least, *most).map_or(Ok(()), refused)
            }
            Check::DoubleBetween(least, most) => double_between(key, text, *least, *most),
            Check::OneOf(words) if words.contains(&text) => Ok(()),
            Check::OneOf(words) => refused(one_of(words, "String must be one of")),
            Check::OneOfIgnoringCase(words) => {
                let known = words.iter().any(|word| word.eq_ignore_ascii_case(text));
                let reason = || one_of(words, "String must be one of (case insensitive)");
                if known { Ok(()) } else { refused(reason()) }
            }
            Check::ListOf(words) => list_of(key, text, words),
            Check::NonEmptyList => no_blanks(key, text),
            Check::NonEmpty if text.is_empty() => refused("String must be non-empty".into()),
            Check::NonEmpty => Ok(()),
            Check::GzipLevel if text == "-1" || out_of_range(text, 1, 9).is_none() => Ok(()),
            Check::GzipLevel => refused("Value must be between 1 and 9 or equal to -1".into()),
            Check::ThrottledReplicas => throttled_replicas(key, text),
            Check::AutoOffsetReset if is_offset_reset(text) => Ok(()),
            Check::AutoOffsetReset => refused(format!(
                "Invalid value `{text}` for configuration {key}. The value must be either \
                 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
            )),
        }
    }
}

fn one_of(words: &[&str], phrase: &str) -> String {
    format!("{phrase}: {}", words.join(", "))
}

fn out_of_range(text: &str, least: i64, most: i64) -> Option<String> {
    let number = text.parse::<i64>().ok()?;
    if number < least {
        return Some(format!("Value must be at least {least}"));
    }
    (number > most).then(|| format!("Value must be no more than {most}"))
}

fn double_between(key: &str, text: &str, least: f64, most: f64) -> Result<(), Invalid> {
    let Ok(number) = text.parse::<f64>() else { return Ok(()) };
    let refused = |reason: String| Err(Invalid::new(key, Some(&format!("{number:?}")), reason));
    if number < least {
        return refused(format!("Value must be at least {least}"));
    }
    // Written so that not-a-number is refused too.
    if number <= most { Ok(()) } else { refused(format!("Value must be no more than {most}")) }
}

fn list_of(key: &str, text: &str, words: &[&str]) -> Result<(), Invalid> {
    no_blanks(key, text)?;
    let stranger = list::elements(text).into_iter().find(|element| !words.contains(element));
    let refused =
        |element| Invalid::new(key, Some(element), one_of(words, "String must be one of"));
    stranger.map_or(Ok(()), |element| Err(refused(element)))
}

fn no_blanks(key: &str, text: &str) -> Result<(), Invalid> {
    if list::elements(text).iter().any(|element| element.is_empty()) {
        let message = format!("Configuration '{key}' values must not be empty.");
        return Err(Invalid::whole(key, message));
    }
    Ok(())
}

fn throttled_replicas(key: &str, text: &str) -> Result<(), Invalid> {
    let number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let is_pair = |element: &str| {
        element
            .split_once(':')
            .is_some_and(|(partition, broker)| number(partition) && number(broker))
    };
    if text == "*" || list::elements(text).into_iter().all(is_pair) {
        return Ok(());
    }
    let shown = format!("[{}]", list::elements(text).join(", "));
    let reason = format!(
        "{key} must be the literal '*' or a list of replicas in the following format: \
         [partitionId]:[brokerId],[partitionId]:[brokerId],..."
    );
    Err(Invalid::new(key, Some(&shown), reason))
}

fn is_offset_reset(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let by_duration = || lower.strip_prefix("by_duration:").is_some_and(is_iso_duration);
    matches!(lower.as_str(), "latest" | "earliest") || by_duration()
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
