//! Where in a partition: `beginning`, `end`, an offset, `-N` before the end, `@time`.

use std::collections::BTreeMap;
use std::str::FromStr;

use ottla_client::offsets::{Isolation, OffsetSpec};
use ottla_client::{Admin, TopicPartition};
use ottla_env::os::OsEnv;

use super::Outcome;

/// A place, before a partition's offsets are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Beginning,
    End,
    Offset(i64),
    /// So many records before the end.
    BeforeEnd(i64),
    /// The first record at or after this time, in milliseconds since 1970.
    Time(i64),
    /// The first record not older than so many milliseconds.
    Ago(i64),
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Position, String> {
        match text {
            "beginning" | "start" | "earliest" => return Ok(Position::Beginning),
            "end" | "latest" => return Ok(Position::End),
            _ => {}
        }
        if let Some(time) = text.strip_prefix('@') {
            return time_position(time);
        }
        match text.parse::<i64>() {
            Ok(offset) if offset >= 0 && !text.starts_with('-') => Ok(Position::Offset(offset)),
            Ok(before) => Ok(Position::BeforeEnd(-before)),
            Err(_) => Err(format!(
                "\"{text}\" is not beginning, end, an offset, -N (N before the end) or @time"
            )),
        }
    }
}

/// The offset of a place in each partition. A time after the last record is the end.
pub(super) async fn find(
    admin: &Admin<OsEnv>,
    partitions: &[TopicPartition],
    position: Position,
    isolation: Isolation,
    now_ms: i64,
) -> Outcome<BTreeMap<TopicPartition, i64>> {
    let ask = |spec: OffsetSpec| {
        let wanted: Vec<_> = partitions.iter().map(|p| (p.clone(), spec)).collect();
        async move { admin.list_offsets(&wanted, isolation).await }
    };
    let offsets = |found: BTreeMap<TopicPartition, ottla_client::offsets::FoundOffset>| {
        found.into_iter().map(|(partition, found)| (partition, found.offset)).collect()
    };
    let earliest: BTreeMap<_, i64> = offsets(ask(OffsetSpec::Earliest).await?);
    let latest: BTreeMap<_, i64> = offsets(ask(OffsetSpec::Latest).await?);
    let at_time = match position {
        Position::Time(ms) => offsets(ask(OffsetSpec::Timestamp(ms)).await?),
        Position::Ago(ms) => offsets(ask(OffsetSpec::Timestamp(now_ms - ms)).await?),
        _ => BTreeMap::new(),
    };
    let place = |partition: &TopicPartition| {
        let (low, high) = (earliest[partition], latest[partition]);
        match position {
            Position::Beginning => low,
            Position::End => high,
            Position::Offset(offset) => offset.clamp(low, high),
            Position::BeforeEnd(count) => (high - count).max(low),
            Position::Time(_) | Position::Ago(_) => match at_time[partition] {
                -1 => high,
                offset => offset,
            },
        }
    };
    Ok(partitions.iter().map(|partition| (partition.clone(), place(partition))).collect())
}

/// `1700000000000`, `2026-11-22`, `2026-11-22T18:00:00Z`, `-90s`, `-15m`, `-1h`, `-2d`.
fn time_position(text: &str) -> Result<Position, String> {
    if let Some(ago) = text.strip_prefix('-').filter(|rest| !rest.contains('-')) {
        return ago_ms(ago).map(Position::Ago);
    }
    if let Ok(ms) = text.parse::<i64>() {
        return Ok(Position::Time(ms));
    }
    timestamp_ms(text).map(Position::Time).ok_or_else(|| {
        format!("\"{text}\" is no time: write milliseconds since 1970, 2026-11-22T18:00:00Z or -1h")
    })
}

fn ago_ms(text: &str) -> Result<i64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" | "" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        other => return Err(format!("\"{other}\" is no unit: ms, s, m, h or d")),
    };
    let count: i64 = digits.parse().map_err(|_| format!("\"{text}\" is no length of time"))?;
    count.checked_mul(unit).ok_or_else(|| format!("\"{text}\" is too long ago"))
}

/// A time as RFC 3339 writes it; the time of day, its fraction and the zone (UTC) may be left out.
fn timestamp_ms(text: &str) -> Option<i64> {
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, "00:00:00Z"),
    };
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let plausible = (1970..10_000).contains(&year) && (1..=12).contains(&month);
    if !plausible || !(1..=31).contains(&day) {
        return None;
    }
    let (clock, zone) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => time.split_at(at),
        None => (time, "Z"),
    };
    let mut clock = clock.splitn(3, ':');
    let hour = clock.next()?.parse::<i64>().ok().filter(|hour| (0..24).contains(hour))?;
    let minute = clock.next()?.parse::<i64>().ok().filter(|minute| (0..60).contains(minute))?;
    let seconds = clock.next().unwrap_or("0").parse::<f64>().ok()?;
    if !(0.0..61.0).contains(&seconds) {
        return None;
    }
    let offset = zone_minutes(zone)?;
    let days = days_from_civil(year, month, day);
    let minutes = (days * 24 + hour) * 60 + minute - offset;
    Some(minutes * 60_000 + (seconds * 1000.0).round() as i64)
}

fn zone_minutes(zone: &str) -> Option<i64> {
    let sign = match zone.chars().next()? {
        'Z' | 'z' => return (zone.len() == 1).then_some(0),
        '+' => 1,
        _ => -1,
    };
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes: i64 = if minutes.is_empty() { 0 } else { minutes.parse().ok()? };
    Some(sign * (hours.parse::<i64>().ok()? * 60 + minutes))
}

/// Days since 1970-01-01 in the Gregorian calendar; the year counts from March, so that the leap
/// day is its last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests;
