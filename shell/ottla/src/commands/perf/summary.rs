//! What a run came to, for people and for programs. Knows no clock.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::commands::table;

/// Latencies in microseconds, three digits of them.
pub(super) type Latencies = Histogram<u64>;

/// An empty histogram, up to an hour; what took longer counts as an hour.
pub(super) fn latencies() -> Latencies {
    const HOUR_US: u64 = 3_600_000_000;
    Histogram::new_with_bounds(1, HOUR_US, 3).expect("the bounds are in order")
}

/// The figures of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    /// Those that succeeded.
    pub(super) records: u64,
    /// Of their keys and values.
    pub(super) bytes: u64,
    pub(super) elapsed: Duration,
    pub(super) failures: u64,
    /// `None` where none was measured.
    pub(super) latency: Option<Percentiles>,
}

/// In milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Percentiles {
    pub(super) p50: f64,
    pub(super) p90: f64,
    pub(super) p99: f64,
    pub(super) p999: f64,
    pub(super) max: f64,
}

impl Percentiles {
    /// `None` of nothing.
    pub(super) fn of(latencies: &Latencies) -> Option<Percentiles> {
        let at = |share| latencies.value_at_quantile(share) as f64 / 1e3;
        (!latencies.is_empty()).then(|| Percentiles {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: latencies.max() as f64 / 1e3,
        })
    }
}

impl Summary {
    fn megabytes(&self) -> f64 {
        self.bytes as f64 / 1e6
    }

    /// `amount` a second; 0 if no time passed.
    fn per_second(&self, amount: f64) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        if seconds > 0.0 { amount / seconds } else { 0.0 }
    }

    /// A table of one row; latencies in milliseconds, `-` where none was measured.
    pub(super) fn text(&self) -> String {
        const HEADER: [&str; 11] = [
            "RECORDS",
            "MB",
            "SECONDS",
            "RECORDS/S",
            "MB/S",
            "P50 MS",
            "P90 MS",
            "P99 MS",
            "P99.9 MS",
            "MAX MS",
            "FAILURES",
        ];
        let mut table = table::table(&HEADER);
        let mut row = vec![
            self.records.to_string(),
            format!("{:.3}", self.megabytes()),
            format!("{:.3}", self.elapsed.as_secs_f64()),
            format!("{:.0}", self.per_second(self.records as f64)),
            format!("{:.3}", self.per_second(self.megabytes())),
        ];
        match self.latency {
            Some(Percentiles { p50, p90, p99, p999, max }) => {
                row.extend([p50, p90, p99, p999, max].map(|ms| format!("{ms:.3}")));
            }
            None => row.extend([(); 5].map(|()| "-".to_owned())),
        }
        row.push(self.failures.to_string());
        table.add_row(row);
        table::text(&table)
    }

    /// One object; `latency_ms` is null where none was measured.
    pub(super) fn json(&self) -> Value {
        let latency = self.latency.map(|Percentiles { p50, p90, p99, p999, max }| {
            json!({ "p50": p50, "p90": p90, "p99": p99, "p999": p999, "max": max })
        });
        json!({
            "records": self.records,
            "mb": self.megabytes(),
            "seconds": self.elapsed.as_secs_f64(),
            "records_per_second": self.per_second(self.records as f64),
            "mb_per_second": self.per_second(self.megabytes()),
            "latency_ms": latency,
            "failures": self.failures,
        })
    }

    /// A line of progress.
    pub(super) fn line(&self) -> String {
        let records = self.per_second(self.records as f64);
        let mut line =
            format!("{records:.0} records/s, {:.3} MB/s", self.per_second(self.megabytes()));
        if let Some(latency) = self.latency {
            line.push_str(&format!(", p50 {:.3} ms, p99 {:.3} ms", latency.p50, latency.p99));
        }
        if self.failures > 0 {
            line.push_str(&format!(", {} failures", self.failures));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousand records, which took 1 to 1000 ms, in 2 s.
    fn summary() -> Summary {
        let mut latencies = latencies();
        (1..=1000).for_each(|ms| latencies.saturating_record(ms * 1000));
        let latency = Percentiles::of(&latencies);
        let elapsed = Duration::from_secs(2);
        Summary { records: 1000, bytes: 5_000_000, elapsed, failures: 1, latency }
    }

    #[test]
    fn percentiles_are_right_to_three_digits() {
        let latency = summary().latency.unwrap();
        let pairs = [
            (latency.p50, 500.0),
            (latency.p90, 900.0),
            (latency.p99, 990.0),
            (latency.p999, 999.0),
            (latency.max, 1000.0),
        ];
        for (found, exact) in pairs {
            assert!((found - exact).abs() <= exact / 1000.0, "{found} is not {exact}");
        }
        assert_eq!(Percentiles::of(&latencies()), None);
    }

    #[test]
    fn the_table_has_a_cell_for_each_column() {
        let exact = Percentiles { p50: 0.5, p90: 1.0, p99: 2.0, p999: 3.0, max: 4.0 };
        let text = Summary { latency: Some(exact), ..summary() }.text();
        let cells: Vec<&str> = text.lines().nth(1).unwrap().split_whitespace().collect();
        let expected = "1000 5.000 2.000 500 2.500 0.500 1.000 2.000 3.000 4.000 1";
        assert_eq!(cells.join(" "), expected);
        let without = Summary { latency: None, ..summary() }.text();
        let cells: Vec<&str> = without.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(cells.join(" "), "1000 5.000 2.000 500 2.500 - - - - - 1");
    }

    #[test]
    fn the_document_has_the_same() {
        let exact = Percentiles { p50: 0.5, p90: 1.0, p99: 2.0, p999: 3.0, max: 4.0 };
        let expected = json!({
            "records": 1000, "mb": 5.0, "seconds": 2.0, "records_per_second": 500.0,
            "mb_per_second": 2.5, "failures": 1,
            "latency_ms": { "p50": 0.5, "p90": 1.0, "p99": 2.0, "p999": 3.0, "max": 4.0 },
        });
        assert_eq!(Summary { latency: Some(exact), ..summary() }.json(), expected);
    }

    #[test]
    fn nothing_in_no_time_is_nothing() {
        let elapsed = Duration::ZERO;
        let nothing = Summary { records: 0, bytes: 0, elapsed, failures: 0, latency: None };
        assert_eq!(nothing.line(), "0 records/s, 0.000 MB/s");
        assert_eq!(nothing.json()["records_per_second"], 0.0);
        assert_eq!(nothing.json()["latency_ms"], Value::Null);
    }
}
