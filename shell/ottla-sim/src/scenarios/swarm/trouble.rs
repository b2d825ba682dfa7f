//! What goes wrong, and how it is put right again some time later.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ottla_env::sim::{LossPlan, Op, Random, Sim};
use ottla_env::{Disk, FileKind, MonoTime};

use super::choice::{Choice, Fault};
use super::cluster::{Cluster, DATA, MORE, client_name};

/// Effects on a disk before the power goes at one.
const EFFECTS_MAX: u64 = 200;
/// A machine that is down stays so for this long at most.
const DOWN_MS_MAX: u64 = 4_000;
/// What a full disk still takes.
const ROOM: (u64, u64) = (0, 1 << 18);
/// Of a hundred errors of a disk, how many take the second directory of a node that has two.
const LOST_PERCENT: u64 = 40;
/// A wall clock is off by so much at most: less than the hour by which a record may be ahead.
const SKEW_MS_MAX: u64 = 50 * 60_000;
/// Of a fast or slow clock: one part in a hundred.
const DRIFT_PPM_MAX: u64 = 10_000;

/// How a trouble ends.
enum Cure {
    /// The node starts (again), on a sound disk.
    Restart(usize),
    /// The disk that was lost is there again, and the node starts with it.
    Find(usize),
    Heal(Vec<(String, String)>),
    QuickDisk(usize),
    QuickLink(String, String),
    Resume(usize),
}

/// What is wrong at present.
pub(super) struct Trouble<'a> {
    sim: &'a Sim,
    random: Random,
    choice: Choice,
    /// Every machine, clients too.
    machines: Vec<String>,
    cures: Vec<(MonoTime, Cure)>,
    /// Nodes whose restart is among the cures.
    doomed: Vec<bool>,
    /// Nodes whose second directory is out of reach, over restarts too.
    has_lost: Vec<bool>,
    /// By how much each node's wall clock is off.
    skews_ms: Vec<i64>,
    /// A bit was turned over: what it hit may be gone.
    pub(super) is_flipped: bool,
    pub(super) count: u32,
}

impl<'a> Trouble<'a> {
    pub(super) fn new(
        sim: &'a Sim,
        choice: &Choice,
        cluster: &Cluster<'_>,
        clients: usize,
        random: Random,
    ) -> Trouble<'a> {
        let nodes = (0..cluster.len()).map(|index| cluster.name(index).to_owned());
        let machines = nodes.chain((1..=clients).map(client_name)).collect();
        Trouble {
            sim,
            random,
            choice: choice.clone(),
            machines,
            cures: Vec::new(),
            doomed: vec![false; cluster.len()],
            has_lost: vec![false; cluster.len()],
            skews_ms: vec![0; cluster.len()],
            is_flipped: false,
            count: 0,
        }
    }

    /// Makes trouble for a while.
    pub(super) async fn make(&mut self, cluster: &mut Cluster<'_>) {
        let end = self.sim.now() + Duration::from_millis(self.choice.trouble_ms);
        let mut next = self.sim.now();
        while self.sim.now() < end {
            let cure_at = self.cures.iter().map(|(at, _)| *at).min().unwrap_or(end);
            let until = next.min(cure_at).min(end);
            self.sim.sleep(until.since(self.sim.now())).await;
            self.notice_the_fallen(cluster);
            self.cure_due(cluster);
            if self.sim.now() >= next {
                let fault = self.choice.faults[self.random.index(self.choice.faults.len())];
                self.strike(fault, cluster).await;
                let calm = self.random.between(10, self.choice.calm_ms);
                next = self.sim.now() + Duration::from_millis(calm);
            }
        }
    }

    /// Everything is put right at once.
    pub(super) fn cure_all(&mut self, cluster: &mut Cluster<'_>) {
        self.notice_the_fallen(cluster);
        for (_, cure) in std::mem::take(&mut self.cures) {
            self.cure(cure, cluster);
        }
        for index in 0..cluster.len() {
            let name = cluster.name(index);
            self.sim.jump_wall_clock(name, -std::mem::take(&mut self.skews_ms[index]));
            self.sim.set_drift(name, 0);
            self.sim.keep_power(name);
            let disk = self.sim.disk(name);
            disk.clear_faults();
            disk.set_capacity(u64::MAX);
            if !matches!(cluster.serves(index), Ok(true)) && !cluster.is_up(index)
                || cluster.serves(index).is_err()
            {
                cluster.restart(index);
            }
        }
    }

    /// Machines whose power went at an effect come back some time later.
    fn notice_the_fallen(&mut self, cluster: &mut Cluster<'_>) {
        for index in 0..cluster.len() {
            if !cluster.is_up(index) && !self.doomed[index] {
                cluster.down(index);
                cluster.cuts += 1;
                self.restart_later(index);
            }
        }
    }

    fn restart_later(&mut self, index: usize) {
        if !std::mem::replace(&mut self.doomed[index], true) {
            let down = self.random.below(DOWN_MS_MAX);
            let at = self.sim.now() + Duration::from_millis(down);
            self.cures.push((at, Cure::Restart(index)));
        }
    }

    fn later(&mut self, cure: Cure) {
        let lasts = self.random.between(1, self.choice.lasts_ms);
        self.cures.push((self.sim.now() + Duration::from_millis(lasts), cure));
    }

    fn cure_due(&mut self, cluster: &mut Cluster<'_>) {
        let now = self.sim.now();
        let (due, rest) =
            std::mem::take(&mut self.cures).into_iter().partition(|(at, _)| *at <= now);
        self.cures = rest;
        let due: Vec<(MonoTime, Cure)> = due;
        for (_, cure) in due {
            self.cure(cure, cluster);
        }
    }

    fn cure(&mut self, cure: Cure, cluster: &mut Cluster<'_>) {
        match cure {
            Cure::Restart(index) => {
                let disk = self.sim.disk(cluster.name(index));
                disk.clear_faults();
                disk.set_capacity(u64::MAX);
                if self.has_lost[index] {
                    disk.lose_folder(Path::new(MORE));
                }
                self.doomed[index] = false;
                cluster.restart(index);
            }
            Cure::Find(index) => {
                self.sim.disk(cluster.name(index)).clear_faults();
                self.has_lost[index] = false;
                self.doomed[index] = false;
                cluster.restart(index);
            }
            Cure::Heal(links) => {
                links.iter().for_each(|(from, to)| self.sim.heal_one_way(from, to));
            }
            Cure::QuickDisk(index) => {
                let (min, max) = (Duration::from_micros(50), Duration::from_micros(500));
                self.sim.disk(cluster.name(index)).set_latency(min, max);
            }
            Cure::QuickLink(from, to) => self.sim.set_link_delay(&from, &to, None),
            Cure::Resume(index) => self.sim.resume(cluster.name(index)),
        }
    }

    async fn strike(&mut self, fault: Fault, cluster: &mut Cluster<'_>) {
        self.count += 1;
        let index = self.random.index(cluster.len());
        match fault {
            Fault::PowerCut => self.cut_power(index, cluster),
            Fault::PowerCutOfAll => {
                for index in 0..cluster.len() {
                    cluster.power_cut(index, None);
                    self.restart_later(index);
                }
            }
            Fault::Kill => {
                cluster.kill(index);
                self.restart_later(index);
            }
            Fault::Stop => {
                cluster.stop(index).await;
                self.restart_later(index);
            }
            Fault::BitFlip => {
                cluster.kill(index);
                self.is_flipped |= self.flip(cluster.name(index));
                self.restart_later(index);
            }
            Fault::DiskError if self.loses_a_disk(index, cluster) => {}
            Fault::DiskError | Fault::DiskFull | Fault::SlowDisk => {
                self.spoil_disk(fault, index, cluster);
            }
            Fault::Pause => {
                if cluster.is_up(index) {
                    self.sim.pause(cluster.name(index));
                    self.later(Cure::Resume(index));
                }
            }
            Fault::ClockJump => {
                let most = [2_000, 60_000, SKEW_MS_MAX][self.random.index(3)];
                let skew = self.random.below(2 * most).cast_signed() - most.cast_signed();
                let before = std::mem::replace(&mut self.skews_ms[index], skew);
                self.sim.jump_wall_clock(cluster.name(index), skew - before);
            }
            Fault::ClockDrift => {
                let ppm = self.random.below(2 * DRIFT_PPM_MAX).cast_signed();
                self.sim.set_drift(cluster.name(index), ppm - DRIFT_PPM_MAX.cast_signed());
            }
            _ => self.strike_network(fault),
        }
    }

    fn cut_power(&mut self, index: usize, cluster: &mut Cluster<'_>) {
        match self.random.below(4) {
            0 | 1 => {
                // It is noticed when it has happened.
                let after = self.random.below(EFFECTS_MAX);
                self.sim.cut_power_at_effect(cluster.name(index), after);
                return;
            }
            2 => cluster.power_cut(index, Some(&LossPlan::lose_all())),
            _ => cluster.power_cut(index, None),
        }
        self.restart_later(index);
    }

    /// Takes one of two disks from a node, which goes on with the other.
    fn loses_a_disk(&mut self, index: usize, cluster: &Cluster<'_>) -> bool {
        let has_two = cluster.directories(index).len() > 1;
        if !has_two || self.has_lost[index] || !self.random.chance(LOST_PERCENT) {
            return false;
        }
        self.has_lost[index] = true;
        self.sim.disk(cluster.name(index)).lose_folder(Path::new(MORE));
        self.later(Cure::Find(index));
        true
    }

    fn spoil_disk(&mut self, fault: Fault, index: usize, cluster: &Cluster<'_>) {
        let disk = self.sim.disk(cluster.name(index));
        match fault {
            Fault::DiskError => {
                let ops = [Op::Write, Op::Write, Op::Sync, Op::Sync, Op::Name, Op::Read];
                let op = ops[self.random.index(ops.len())];
                disk.fail_after(op, self.random.below(60), self.random.between(1, 3));
            }
            Fault::DiskFull => {
                disk.set_capacity(disk.used_bytes() + self.random.between(ROOM.0, ROOM.1));
            }
            _ => {
                let ms = self.random.between(1, 200);
                disk.set_latency(Duration::from_micros(100), Duration::from_millis(ms));
                self.later(Cure::QuickDisk(index));
                return;
            }
        }
        // Somebody replaces the disk's cable, or makes room, and starts the process again.
        if !std::mem::replace(&mut self.doomed[index], true) {
            self.later(Cure::Restart(index));
        }
    }

    fn two_machines(&mut self) -> (String, String) {
        let one = self.random.index(self.machines.len());
        let other = (one + 1 + self.random.index(self.machines.len() - 1)) % self.machines.len();
        (self.machines[one].clone(), self.machines[other].clone())
    }

    fn strike_network(&mut self, fault: Fault) {
        let (one, other) = self.two_machines();
        let back = (other.clone(), one.clone());
        match fault {
            Fault::Cut => self.cut(vec![(one, other), back]),
            Fault::OneWayCut => self.cut(vec![(one, other)]),
            Fault::Isolation => {
                let links = self.links_of(&one);
                self.cut(links);
            }
            Fault::Ring => self.cut_to_ring(),
            Fault::Swizzle => self.swizzle(),
            Fault::SlowLink => {
                let ms = self.random.between(5, 3_000);
                let delay = (Duration::from_millis(ms / 4), Duration::from_millis(ms));
                self.sim.set_link_delay(&one, &other, Some(delay));
                self.later(Cure::QuickLink(one, other));
            }
            _ => self.sim.reset_connections(&one, &other),
        }
    }

    fn cut(&mut self, links: Vec<(String, String)>) {
        links.iter().for_each(|(from, to)| self.sim.cut_one_way(from, to));
        self.later(Cure::Heal(links));
    }

    fn links_of(&self, machine: &str) -> Vec<(String, String)> {
        let others = self.machines.iter().filter(|other| *other != machine);
        others
            .flat_map(|other| {
                let (one, other) = (machine.to_owned(), other.clone());
                [(one.clone(), other.clone()), (other, one)]
            })
            .collect()
    }

    /// Nodes are left with their two neighbours.
    fn cut_to_ring(&mut self) {
        let nodes = self.doomed.len();
        let far = |one: usize, other: usize| {
            let distance = one.abs_diff(other);
            distance > 1 && distance < nodes - 1
        };
        let pairs = (0..nodes).flat_map(|one| (0..nodes).map(move |other| (one, other)));
        let links = pairs
            .filter(|(one, other)| far(*one, *other))
            .map(|(one, other)| (self.machines[one].clone(), self.machines[other].clone()));
        let links = links.collect();
        self.cut(links);
    }

    /// FoundationDB's swizzle-clog: some wires stop one after the other, and go on in another order.
    fn swizzle(&mut self) {
        let nodes = self.doomed.len();
        for index in 0..nodes {
            if self.random.chance(60) {
                let machine = self.machines[index].clone();
                let links = self.links_of(&machine);
                self.cut(links);
            }
        }
    }

    /// Turns over a bit of some segment; says whether there was one.
    fn flip(&mut self, name: &str) -> bool {
        let disk = self.sim.disk(name);
        let root = Path::new(DATA);
        let mut found: Vec<(PathBuf, u64)> = Vec::new();
        for folder in disk.read_dir(root).unwrap_or_default() {
            let is_ours = folder.kind == FileKind::Dir && folder.name.starts_with("steady");
            let path = root.join(&folder.name);
            for file in disk.read_dir(&path).unwrap_or_default() {
                let path = path.join(&file.name);
                let length = disk.metadata(&path).map_or(0, |metadata| metadata.len);
                if is_ours && file.name.ends_with(".log") && length > 0 {
                    found.push((path, length));
                }
            }
        }
        if found.is_empty() {
            return false;
        }
        let (path, length) = &found[self.random.index(found.len())];
        disk.flip_bit(path, self.random.below(*length), self.random.below(8) as u8).is_ok()
    }
}
