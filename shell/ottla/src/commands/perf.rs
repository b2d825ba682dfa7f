//! `ottla perf`: how fast a cluster takes records and gives them back, measured from this machine.
//!
//! MB are 10^6 bytes of keys and values. Latencies are in milliseconds and, at a rate, counted from
//! the moment a record was due: a cluster that stalls is charged for every record that had to wait.

use std::time::Duration;

use clap::Subcommand;

use super::Format;
use crate::exit::Exit;
use crate::output;

mod schedule;
mod summary;

mod meter;

mod load;

mod consume;
mod latency;
mod produce;

/// `ottla perf ...`
#[derive(Debug, Subcommand)]
pub(crate) enum PerfCommand {
    /// Send records, as fast as possible or at a rate.
    Produce(produce::PerfProduce),
    /// Read records as fast as possible and drop them.
    Consume(consume::PerfConsume),
    /// Send records at a rate and read them back: the time from end to end.
    Latency(latency::PerfLatency),
}

/// Does it.
pub(crate) fn run(command: PerfCommand) -> Exit {
    match command {
        PerfCommand::Produce(flags) => produce::run(flags),
        PerfCommand::Consume(flags) => consume::run(flags),
        PerfCommand::Latency(flags) => latency::run(flags),
    }
}

/// Writes what a run came to, and says with what the program ends: what stopped the run, if that
/// was not its own end, or whether there were failures.
fn tell(meter: &meter::Meter, format: Format, stopped: Option<Exit>) -> Exit {
    let summary = meter.summary();
    match format {
        Format::Text => output::print(&summary.text()),
        Format::Json => output::print(&format!("{:#}\n", summary.json())),
        Format::Jsonl => output::print(&format!("{}\n", summary.json())),
    }
    if summary.failures == 0 {
        return stopped.unwrap_or(Exit::Done);
    }
    let why = meter.first_failure().unwrap_or_default();
    output::complain(&format!("error: {} records failed, the first: {why}", summary.failures));
    stopped.unwrap_or(Exit::Failed)
}

/// A length of time in seconds, as a flag gives it.
fn seconds(text: &str) -> Result<Duration, String> {
    const SECONDS_MAX: f64 = 1e9;
    let seconds = text.parse::<f64>().ok().filter(|s| *s > 0.0 && *s <= SECONDS_MAX);
    let seconds =
        seconds.ok_or_else(|| format!("\"{text}\" is not a number of seconds above 0"))?;
    Ok(Duration::from_secs_f64(seconds))
}

/// Records a second, as a flag gives them.
fn rate(text: &str) -> Result<f64, String> {
    const RATES: std::ops::RangeInclusive<f64> = 0.001..=1e9;
    let rate = text.parse::<f64>().ok().filter(|rate| RATES.contains(rate));
    rate.ok_or_else(|| format!("\"{text}\" is not a rate from 0.001 to 1000000000 records/s"))
}

#[cfg(test)]
mod tests {
    use super::{Duration, rate, seconds};

    #[test]
    fn what_is_no_time_and_no_rate_is_refused() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        assert_eq!(rate("200"), Ok(200.0));
        for bad in ["0", "-1", "nan", "inf", "1e300", "", "ten"] {
            assert!(seconds(bad).is_err(), "{bad}");
            assert!(rate(bad).is_err(), "{bad}");
        }
    }
}
