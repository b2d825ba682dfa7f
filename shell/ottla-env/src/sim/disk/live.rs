//! A disk in use: its content, the process that has it open, and the faults to come.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::effect::{Effect, Inode, NameChange, fingerprint_of_write};
use super::faults::{Faults, input_output_error};
use super::loss::LossPlan;
use super::recording::Tape;
use super::state::DiskState;
use crate::sim::random::Random;
use crate::sim::trace::Trace;

/// As good as endless.
const CAPACITY: u64 = 1 << 40;
/// A good SSD's flush.
const LATENCY: (Duration, Duration) = (Duration::from_micros(50), Duration::from_micros(500));
/// The wall clock of a disk outside any simulation: 2026-01-01.
const WALL_MS: i64 = 1_767_225_600_000;

/// The state behind all handles.
pub(in crate::sim) struct Live {
    pub(super) state: DiskState,
    pub(super) tape: Option<Arc<Mutex<Tape>>>,
    pub(super) faults: Faults,
    pub(super) capacity: u64,
    pub(in crate::sim) latency: (Duration, Duration),
    pub(super) locks: BTreeSet<Inode>,
    pub(super) open: BTreeMap<Inode, usize>,
    pub(in crate::sim) random: Random,
    /// The wall clock of the node the disk is in.
    pub(in crate::sim) clock: Arc<AtomicI64>,
    pub(in crate::sim) trace: Trace,
    pub(super) effects: u64,
    /// Effects that still go well before the power goes.
    pub(super) cut_after: Option<u64>,
    /// The power went.
    pub(super) tripped: bool,
    /// Told of that.
    pub(in crate::sim) watch: Arc<AtomicBool>,
    pub(super) process: u64,
}

impl Live {
    pub(super) fn new(state: DiskState, seed: u64) -> Live {
        Live {
            state,
            tape: None,
            faults: Faults::default(),
            capacity: CAPACITY,
            latency: LATENCY,
            locks: BTreeSet::new(),
            open: BTreeMap::new(),
            random: Random::new(seed),
            clock: Arc::new(AtomicI64::new(WALL_MS)),
            trace: Trace::default(),
            effects: 0,
            cut_after: None,
            tripped: false,
            watch: Arc::default(),
            process: 0,
        }
    }

    pub(super) fn wall_ms(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// Carries out an effect, and keeps it if a recording runs.
    pub(super) fn commit(&mut self, effect: Effect) -> io::Result<()> {
        match &mut self.cut_after {
            Some(0) => {
                self.tripped = true;
                self.watch.store(true, Ordering::Relaxed);
                // In flight: it may have begun, and nothing of it is durable.
                if self.random.chance(75) {
                    self.state.apply_volatile(&effect);
                }
                return Err(input_output_error());
            }
            Some(left) => *left -= 1,
            None => {}
        }
        self.note(effect.fingerprint());
        self.state.apply(&effect);
        if let Some(tape) = &self.tape {
            tape.lock().push(effect, &self.state);
        }
        Ok(())
    }

    /// As `commit` of a write, without a copy of the bytes where nobody keeps the effect.
    pub(super) fn commit_write(
        &mut self,
        inode: Inode,
        position: u64,
        bytes: &[u8],
        (dsync, at_ms): (bool, i64),
    ) -> io::Result<()> {
        if self.tape.is_some() || self.cut_after == Some(0) {
            let bytes = Arc::from(bytes);
            return self.commit(Effect::Write { inode, position, bytes, dsync, at_ms });
        }
        if let Some(left) = &mut self.cut_after {
            *left -= 1;
        }
        self.note(fingerprint_of_write(inode, position, bytes.len()));
        self.state.write(inode, (position, bytes), dsync, at_ms);
        Ok(())
    }

    fn note(&mut self, (what, how): (u64, u64)) {
        self.effects += 1;
        self.trace.add(what);
        self.trace.add(how);
    }

    /// Makes a file or folder under a free name.
    pub(super) fn link(
        &mut self,
        folder: Inode,
        name: Arc<str>,
        is_folder: bool,
    ) -> io::Result<Inode> {
        let inode = self.state.next_inode();
        self.commit(Effect::Name(NameChange::Link { folder, name, inode, is_folder }))?;
        Ok(inode)
    }

    /// All names below a folder, deepest first.
    pub(super) fn below(&self, folder: Inode) -> Vec<(Inode, Arc<str>)> {
        let mut found = Vec::new();
        let mut rest = vec![folder];
        while let Some(folder) = rest.pop() {
            for (name, link) in self.state.tree.folder(folder).into_iter().flatten() {
                found.push((folder, name.clone()));
                if link.is_folder {
                    rest.push(link.inode);
                }
            }
        }
        found.reverse();
        found
    }

    pub(super) fn check_process(&self, process: u64) -> io::Result<()> {
        if self.tripped || process != self.process {
            return Err(input_output_error());
        }
        Ok(())
    }

    pub(super) fn check_room(&self, inode: Inode, position: u64, len: usize) -> io::Result<()> {
        if self.capacity >= CAPACITY {
            return Ok(());
        }
        let growth = self.state.file(inode).map_or(0, |file| file.growth(position, len));
        self.check_growth(growth)
    }

    pub(super) fn check_growth(&self, growth: u64) -> io::Result<()> {
        if growth > 0 && self.state.usage() + growth > self.capacity {
            return Err(io::Error::new(ErrorKind::StorageFull, "the simulated disk is full"));
        }
        Ok(())
    }

    pub(super) fn close(&mut self, inode: Inode) {
        if let Some(count) = self.open.get_mut(&inode) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&inode);
            }
        }
    }

    /// The process ends: its handles and locks go, and of the page cache what `plan` takes.
    pub(super) fn end_process(&mut self, plan: &LossPlan) {
        self.process += 1;
        self.locks.clear();
        self.open.clear();
        self.tripped = false;
        self.cut_after = None;
        self.state = self.state.survivor(None, plan);
        // What a recording replays has no power cut in it: it ends here.
        self.tape = None;
    }
}
