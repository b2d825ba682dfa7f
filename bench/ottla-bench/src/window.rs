//! The measured part of a run: what broker, client and machine used between two moments.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::fault::Outcome;
use crate::process::{Held, Machine, Used};

/// What load threads count, and when they are to end.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) requests: AtomicU64,
    pub(crate) records: AtomicU64,
    /// Bytes of whole batches.
    pub(crate) bytes: AtomicU64,
    pub(crate) stop: AtomicBool,
}

impl Counters {
    pub(crate) fn count(&self, requests: u64, records: u64, bytes: u64) {
        self.requests.fetch_add(requests, Ordering::Relaxed);
        self.records.fetch_add(records, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn now(&self) -> [u64; 3] {
        [&self.requests, &self.records, &self.bytes].map(|count| count.load(Ordering::Relaxed))
    }
}

/// What a window saw. `broker_*` are `None` without a process to look at.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) requests: u64,
    pub(crate) records: u64,
    /// Bytes of whole batches, acknowledged or fetched.
    pub(crate) bytes: u64,
    pub(crate) broker: Option<BrokerShare>,
    pub(crate) client_cpu_s: f64,
    /// Everything that ran on the machine, this client taken away.
    pub(crate) system_cpu_s: f64,
    /// What neither broker nor client used, as a share of all processors' time.
    pub(crate) foreign_share: f64,
    /// Time the hypervisor took, as a share of all processors' time.
    pub(crate) stolen_share: f64,
}

/// The broker's part of a window.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct BrokerShare {
    pub(crate) user_s: f64,
    pub(crate) system_s: f64,
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
    pub(crate) rss_bytes: u64,
    pub(crate) rss_peak_bytes: u64,
    pub(crate) anonymous_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

impl BrokerShare {
    pub(crate) fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }
}

impl Measured {
    pub(crate) fn gigabytes(&self) -> f64 {
        self.bytes as f64 / 1e9
    }

    pub(crate) fn mb_per_s(&self) -> f64 {
        self.bytes as f64 / 1e6 / self.seconds
    }

    pub(crate) fn broker_cpu_per_gb(&self) -> Option<f64> {
        self.broker.as_ref().map(|broker| broker.cpu_s() / self.gigabytes())
    }

    pub(crate) fn broker_us_per_request(&self) -> Option<f64> {
        self.broker.as_ref().map(|broker| broker.cpu_s() * 1e6 / self.requests as f64)
    }
}

/// A moment; two of them make a [`Measured`].
pub(crate) struct Moment {
    at: Instant,
    counted: [u64; 3],
    broker: Option<Used>,
    client: Used,
    machine: Machine,
}

impl Moment {
    pub(crate) fn now(pid: Option<u32>, counters: &Counters) -> Outcome<Moment> {
        Ok(Moment {
            broker: pid.map(Used::of).transpose()?,
            client: Used::own()?,
            machine: Machine::now()?,
            counted: counters.now(),
            at: Instant::now(),
        })
    }

    /// What lies between this moment and now. `others_cpu_s` is the CPU of client processes beside this one.
    pub(crate) fn until_now(
        &self,
        pid: Option<u32>,
        counters: &Counters,
        others_cpu_s: f64,
    ) -> Outcome<Measured> {
        let end = Moment::now(pid, counters)?;
        let machine = end.machine - self.machine;
        let client_cpu_s = (end.client - self.client).cpu_s() + others_cpu_s;
        let broker = match (pid, end.broker, self.broker) {
            (Some(pid), Some(end), Some(begin)) => Some(share(end - begin, Held::of(pid)?)),
            _ => None,
        };
        let all = (machine.busy_s + machine.idle_s + machine.stolen_s).max(1e-9);
        let broker_cpu_s = broker.as_ref().map_or(0.0, BrokerShare::cpu_s);
        let [requests, records, bytes] =
            std::array::from_fn(|index| end.counted[index] - self.counted[index]);
        Ok(Measured {
            seconds: (end.at - self.at).as_secs_f64(),
            requests,
            records,
            bytes,
            broker,
            client_cpu_s,
            system_cpu_s: (machine.busy_s - client_cpu_s).max(0.0),
            foreign_share: ((machine.busy_s - client_cpu_s - broker_cpu_s) / all).max(0.0),
            stolen_share: machine.stolen_s / all,
        })
    }
}

fn share(used: Used, held: Held) -> BrokerShare {
    BrokerShare {
        user_s: used.user_s,
        system_s: used.system_s,
        voluntary_switches: used.voluntary_switches,
        involuntary_switches: used.involuntary_switches,
        rss_bytes: held.rss_bytes,
        rss_peak_bytes: held.rss_peak_bytes,
        anonymous_bytes: held.anonymous_bytes,
        threads: held.threads,
        files: held.files,
    }
}

/// Lets a running load warm up, measures it for `length`, and stops it.
pub(crate) fn measure(
    pid: Option<u32>,
    counters: &Counters,
    warm_up: Duration,
    length: Duration,
) -> Outcome<Measured> {
    let pause = |length: Duration| {
        let end = Instant::now() + length;
        // A load that failed is not waited for.
        while !counters.stopped() && Instant::now() < end {
            let rest = end.saturating_duration_since(Instant::now());
            std::thread::sleep(rest.min(Duration::from_millis(100)));
        }
    };
    pause(warm_up);
    let begin = Moment::now(pid, counters)?;
    pause(length);
    let measured = begin.until_now(pid, counters, 0.0);
    counters.stop.store(true, Ordering::Relaxed);
    measured
}
