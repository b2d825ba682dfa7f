//! What the kernel says of a process and of the machine: CPU, switches, memory, files. Reads /proc only.

use std::fs;
use std::ops::Sub;

use serde::Serialize;

use crate::fault::{Fault, Outcome};

/// What a process has used up to now, all its threads together, ended ones too for the CPU.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Used {
    pub(crate) user_s: f64,
    pub(crate) system_s: f64,
    /// Of the threads alive.
    pub(crate) voluntary_switches: u64,
    pub(crate) involuntary_switches: u64,
}

/// What a process holds now.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Held {
    pub(crate) rss_bytes: u64,
    pub(crate) rss_peak_bytes: u64,
    /// Of the memory, what is no file's: heap, stacks, buffers.
    pub(crate) anonymous_bytes: u64,
    pub(crate) threads: u64,
    pub(crate) files: u64,
}

impl Used {
    pub(crate) fn cpu_s(&self) -> f64 {
        self.user_s + self.system_s
    }

    /// Reads what process `pid` has used.
    pub(crate) fn of(pid: u32) -> Outcome<Used> {
        let (user_s, system_s) = cpu_of(pid)?;
        let mut used = Used { user_s, system_s, ..Used::default() };
        for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            used.voluntary_switches += field(&status, "voluntary_ctxt_switches:");
            used.involuntary_switches += field(&status, "nonvoluntary_ctxt_switches:");
        }
        Ok(used)
    }

    /// Of this process: the client's own share.
    pub(crate) fn own() -> Outcome<Used> {
        Used::of(std::process::id())
    }
}

impl Sub for Used {
    type Output = Used;

    fn sub(self, before: Used) -> Used {
        Used {
            user_s: self.user_s - before.user_s,
            system_s: self.system_s - before.system_s,
            voluntary_switches: self.voluntary_switches.saturating_sub(before.voluntary_switches),
            involuntary_switches: self
                .involuntary_switches
                .saturating_sub(before.involuntary_switches),
        }
    }
}

impl Held {
    pub(crate) fn of(pid: u32) -> Outcome<Held> {
        let status =
            fs::read_to_string(format!("/proc/{pid}/status")).map_err(|error| gone(pid, &error))?;
        let files = fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |all| all.count() as u64);
        Ok(Held {
            rss_bytes: field(&status, "VmRSS:") * 1024,
            rss_peak_bytes: field(&status, "VmHWM:") * 1024,
            anonymous_bytes: field(&status, "RssAnon:") * 1024,
            threads: field(&status, "Threads:"),
            files,
        })
    }
}

/// User and system seconds of a process; its threads, and those that ended, are in it.
fn cpu_of(pid: u32) -> Outcome<(f64, f64)> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).map_err(|error| gone(pid, &error))?;
    // The name in brackets may hold spaces; what follows the last bracket does not.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut fields = rest.split_whitespace().skip(11).map(|text| text.parse().unwrap_or(0.0));
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let mut next = || fields.next().unwrap_or(0.0) / ticks;
    Ok((next(), next()))
}

fn gone(pid: u32, error: &std::io::Error) -> Fault {
    Fault::new(format!("process {pid} cannot be read: {error}"))
}

/// The CPU of the whole machine up to now, in seconds, all processors together.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Machine {
    pub(crate) busy_s: f64,
    pub(crate) idle_s: f64,
    pub(crate) stolen_s: f64,
}

impl Machine {
    pub(crate) fn now() -> Outcome<Machine> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().unwrap_or_default();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        let all: Vec<f64> = line
            .split_whitespace()
            .skip(1)
            .map(|text| text.parse::<f64>().unwrap_or(0.0) / ticks)
            .collect();
        let at = |index: usize| all.get(index).copied().unwrap_or(0.0);
        Ok(Machine {
            busy_s: at(0) + at(1) + at(2) + at(5) + at(6),
            idle_s: at(3) + at(4),
            stolen_s: at(7),
        })
    }
}

impl Sub for Machine {
    type Output = Machine;

    fn sub(self, before: Machine) -> Machine {
        Machine {
            busy_s: self.busy_s - before.busy_s,
            idle_s: self.idle_s - before.idle_s,
            stolen_s: self.stolen_s - before.stolen_s,
        }
    }
}

/// The number after `name` at the start of a line; 0 without one.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_cpu_and_memory_are_seen() {
        let before = Used::own().expect("own figures");
        let mut sum = 0u64;
        while (Used::own().expect("own figures") - before).cpu_s() < 0.02 {
            sum = (0..1_000_000u64).fold(sum, |sum, n| sum ^ n.wrapping_mul(sum | 1));
        }
        let held = Held::of(std::process::id()).expect("own memory");
        assert!(held.rss_bytes > 0 && held.rss_peak_bytes >= held.rss_bytes && held.files > 0);
    }

    #[test]
    fn fields_are_found_at_the_start_of_a_line() {
        let text = "nonvoluntary_ctxt_switches:\t7\nvoluntary_ctxt_switches:\t12\nVmRSS:\t 20 kB\n";
        assert_eq!(field(text, "voluntary_ctxt_switches:"), 12);
        assert_eq!(field(text, "VmRSS:"), 20);
        assert_eq!(field(text, "VmHWM:"), 0);
    }
}
