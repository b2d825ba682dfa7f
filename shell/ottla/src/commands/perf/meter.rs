//! Counts what happens in a run, says each second how it goes, and ends it in time.

use std::future::Future;
use std::time::Duration;

use ottla_env::os::{OsEnv, ShutdownSignals, Signal};
use ottla_env::{Env, MonoTime};
use parking_lot::Mutex;

use super::summary::{self, Latencies, Percentiles, Summary};
use crate::exit::Exit;
use crate::output;

/// What a run counts. Many tasks may count at once.
pub(super) struct Meter {
    counted: Mutex<Counted>,
}

struct Counted {
    begin: MonoTime,
    /// When something was last counted.
    last: MonoTime,
    /// When the last line of progress was written.
    told: MonoTime,
    all: Tally,
    /// Since the last line of progress; not yet in `all`.
    recent: Tally,
    first_failure: Option<String>,
}

struct Tally {
    records: u64,
    bytes: u64,
    failures: u64,
    latencies: Latencies,
}

impl Tally {
    fn new() -> Tally {
        Tally { records: 0, bytes: 0, failures: 0, latencies: summary::latencies() }
    }

    fn summary(&self, elapsed: Duration) -> Summary {
        Summary {
            records: self.records,
            bytes: self.bytes,
            elapsed,
            failures: self.failures,
            latency: Percentiles::of(&self.latencies),
        }
    }
}

impl Counted {
    /// Moves what is recent to the rest.
    fn fold(&mut self) {
        self.all.records += self.recent.records;
        self.all.bytes += self.recent.bytes;
        self.all.failures += self.recent.failures;
        self.all.latencies.add(&self.recent.latencies).expect("both have the same bounds");
        self.recent = Tally::new();
    }
}

impl Meter {
    /// Nothing counted yet, in a run that begins at `begin`.
    pub(super) fn new(begin: MonoTime) -> Meter {
        let (all, recent) = (Tally::new(), Tally::new());
        let counted = Counted { begin, last: begin, told: begin, all, recent, first_failure: None };
        Meter { counted: Mutex::new(counted) }
    }

    /// Counts records that were done at `at`.
    pub(super) fn done(&self, records: u64, bytes: u64, at: MonoTime) {
        let mut counted = self.counted.lock();
        counted.last = counted.last.max(at);
        counted.recent.records += records;
        counted.recent.bytes += bytes;
    }

    /// Counts one that was due at `due` and done at `at`.
    pub(super) fn done_since(&self, due: MonoTime, bytes: u64, at: MonoTime) {
        let mut counted = self.counted.lock();
        counted.last = counted.last.max(at);
        counted.recent.records += 1;
        counted.recent.bytes += bytes;
        let micros = u64::try_from(at.since(due).as_micros()).unwrap_or(u64::MAX);
        counted.recent.latencies.saturating_record(micros);
    }

    /// Counts records that failed, all for one reason.
    pub(super) fn failed(&self, records: u64, why: impl FnOnce() -> String) {
        if records > 0 {
            let mut counted = self.counted.lock();
            counted.recent.failures += records;
            counted.first_failure.get_or_insert_with(why);
        }
    }

    /// How many records were done so far.
    pub(super) fn records(&self) -> u64 {
        let counted = self.counted.lock();
        counted.all.records + counted.recent.records
    }

    /// Why the first record failed that did.
    pub(super) fn first_failure(&self) -> Option<String> {
        self.counted.lock().first_failure.clone()
    }

    /// Everything, from the beginning to the last record.
    pub(super) fn summary(&self) -> Summary {
        let mut counted = self.counted.lock();
        counted.fold();
        counted.all.summary(counted.last - counted.begin)
    }

    /// What was counted since this was last called.
    fn recent(&self, now: MonoTime) -> Summary {
        let mut counted = self.counted.lock();
        let recent = counted.recent.summary(now - counted.told);
        counted.told = now;
        counted.fold();
        recent
    }
}

/// How watched work ended.
pub(super) enum Ending<T> {
    Done(T),
    /// It was given up when its time had passed.
    TimeUp,
    /// It was given up because the program is to end, so.
    Stopped(Exit),
}

/// Awaits work, no longer than `limit`, and writes a line of progress each second meanwhile.
pub(super) async fn watch<T>(
    env: &OsEnv,
    meter: &Meter,
    signals: &mut ShutdownSignals,
    limit: Option<Duration>,
    work: impl Future<Output = T>,
) -> Ending<T> {
    let progress = async {
        loop {
            env.sleep(Duration::from_secs(1)).await;
            output::complain(&meter.recent(env.now()).line());
        }
    };
    let time_up = async {
        match limit {
            Some(limit) => env.sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        signal = signals.next() => Ending::Stopped(match signal {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Done,
        }),
        done = work => Ending::Done(done),
        () = time_up => Ending::TimeUp,
        () = progress => Ending::TimeUp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> MonoTime {
        MonoTime(ms * 1_000_000)
    }

    #[test]
    fn what_was_told_as_progress_is_in_the_summary_too() {
        let meter = Meter::new(ms(1000));
        meter.done_since(ms(1000), 10, ms(1100));
        assert_eq!(meter.recent(ms(2000)).line().split(',').next(), Some("1 records/s"));
        meter.done_since(ms(2000), 10, ms(3000));
        meter.failed(0, || "nothing failed".to_owned());
        meter.failed(2, || "first".to_owned());
        meter.failed(1, || "second".to_owned());
        assert_eq!(meter.records(), 2);
        let summary = meter.summary();
        assert_eq!((summary.records, summary.bytes, summary.failures), (2, 20, 3));
        assert_eq!(summary.elapsed, Duration::from_secs(2));
        assert_eq!(meter.first_failure().as_deref(), Some("first"));
        let latency = summary.latency.unwrap();
        assert!((latency.p50 - 100.0).abs() <= 0.1 && (latency.max - 1000.0).abs() <= 1.0);
    }
}
