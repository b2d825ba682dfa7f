//! What a seed enables: a random part of all faults and workloads, for a bug often needs some of them
//! to be absent.

use ottla_config::keys::ottla::METADATA_VERSIONS;
use ottla_env::sim::Random;

/// Of a hundred clusters, how many begin at an older level.
const UPGRADED_PERCENT: u64 = 25;
/// In how many brokers have two log directories, and replicas that move between them.
const DIRECTORIES_PERCENT: u64 = 35;
/// In how many somebody pretends to be a replica; have controllers of their own.
const STRANGER_PERCENT: u64 = 15;
const SPLIT_PERCENT: u64 = 20;

/// Something bad that can happen to a machine or a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// A machine loses power, at any moment or between two effects on its disk.
    PowerCut,
    /// All machines lose power at once.
    PowerCutOfAll,
    /// The process is killed; what it wrote stays.
    Kill,
    /// The process stops in order.
    Stop,
    /// Some calls to the disk fail.
    DiskError,
    /// The disk has little room.
    DiskFull,
    /// A bit of a segment turns over while the process is down.
    BitFlip,
    /// The disk takes its time.
    SlowDisk,
    /// Two machines do not reach each other.
    Cut,
    /// One machine does not reach another, but is reached.
    OneWayCut,
    /// One machine reaches nobody.
    Isolation,
    /// Each machine reaches its neighbours in a ring only.
    Ring,
    /// Some machines' wires are clogged one after the other, and freed in another order.
    Swizzle,
    /// Packets between two machines take long.
    SlowLink,
    /// Connections break.
    Reset,
    /// A wall clock jumps.
    ClockJump,
    /// A wall clock runs fast or slow.
    ClockDrift,
    /// A machine stands still for a while.
    Pause,
}

impl Fault {
    const ALL: [Fault; 18] = [
        Fault::PowerCut,
        Fault::PowerCutOfAll,
        Fault::Kill,
        Fault::Stop,
        Fault::DiskError,
        Fault::DiskFull,
        Fault::BitFlip,
        Fault::SlowDisk,
        Fault::Cut,
        Fault::OneWayCut,
        Fault::Isolation,
        Fault::Ring,
        Fault::Swizzle,
        Fault::SlowLink,
        Fault::Reset,
        Fault::ClockJump,
        Fault::ClockDrift,
        Fault::Pause,
    ];

    /// Of a hundred runs, in how many it may happen.
    fn percent(self, nodes: usize) -> u64 {
        match self {
            // Without a copy elsewhere what it hits is gone, and most promises with it.
            Fault::BitFlip if nodes == 1 => 5,
            // Not yet repaired from another replica.
            Fault::BitFlip => 0,
            Fault::Ring if nodes < 4 => 0,
            _ => 35,
        }
    }
}

/// What clients do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// Idempotent producers.
    Idempotent,
    /// Producers that may double.
    Plain,
    /// Consumers of a group that come, leave and die.
    Group,
    /// A reader of everything.
    Reader,
    /// DeleteRecords.
    Trim,
    /// A topic under retention.
    Retention,
    /// A topic that is deleted and made again under the same name.
    Fleeting,
    /// A topic that gets more partitions, and changes of configuration.
    Growth,
}

impl Work {
    const ALL: [Work; 8] = [
        Work::Idempotent,
        Work::Plain,
        Work::Group,
        Work::Reader,
        Work::Trim,
        Work::Retention,
        Work::Fleeting,
        Work::Growth,
    ];
}

/// What happens in a run.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    pub(super) nodes: usize,
    pub(super) faults: Vec<Fault>,
    pub(super) work: Vec<Work>,
    /// How long things go wrong.
    pub(super) trouble_ms: u64,
    /// Between two troubles, at most.
    pub(super) calm_ms: u64,
    /// How long a trouble lasts, at most.
    pub(super) lasts_ms: u64,
    /// Between two sends of a producer, at most.
    pub(super) pace_ms: u64,
    pub(super) partitions: i32,
    pub(super) producers: u64,
    pub(super) members: u64,
    /// Of records, beside what names them.
    pub(super) padding: usize,
    pub(super) segment_bytes: u64,
    /// The level of metadata.version the cluster begins at, if not the newest; it is upgraded meanwhile.
    pub(super) begins_at: Option<&'static str>,
    /// Somebody pretends to be a replica.
    pub(super) has_stranger: bool,
    /// So many nodes are controllers alone, and the others brokers alone; 0: all are both.
    pub(super) controllers: usize,
    /// Replicas move between two directories of each broker.
    pub(super) moves: Option<Moves>,
}

/// How replicas move between directories.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moves {
    /// Between two moves, at most.
    pub(super) pause_ms: u64,
    /// The throttle, if there is one.
    pub(super) bytes_per_second: Option<u64>,
}

impl Moves {
    fn new(random: &mut Random) -> Option<Moves> {
        let is_chosen = random.chance(DIRECTORIES_PERCENT);
        is_chosen.then(|| Moves {
            pause_ms: [200, 1_000, 4_000][random.index(3)],
            bytes_per_second: [None, Some(200_000), Some(30_000)][random.index(3)],
        })
    }
}

impl Choice {
    /// What came to the story later draws from `later`, so that a seed's choice stays what it was.
    pub(super) fn new(nodes: usize, random: &mut Random, later: &mut Random) -> Choice {
        let faults = Fault::ALL.into_iter().filter(|fault| random.chance(fault.percent(nodes)));
        let mut faults: Vec<Fault> = faults.collect();
        if faults.is_empty() {
            faults.push(Fault::PowerCut);
        }
        let mut work: Vec<Work> = Work::ALL.into_iter().filter(|_| random.chance(50)).collect();
        if !work.contains(&Work::Plain) && !work.contains(&Work::Idempotent) {
            work.push(Work::Idempotent);
        }
        Choice {
            nodes,
            faults,
            work,
            trouble_ms: random.between(2_000, 40_000),
            calm_ms: [300, 2_000, 8_000][random.index(3)],
            lasts_ms: [300, 3_000, 15_000][random.index(3)],
            pace_ms: [5, 50, 400][random.index(3)],
            partitions: random.between(1, 4) as i32,
            producers: random.between(1, 3),
            members: random.between(1, 4),
            padding: [20, 400, 3_000][random.index(3)],
            segment_bytes: random.between(1 << 13, 1 << 17),
            begins_at: random
                .chance(UPGRADED_PERCENT)
                .then(|| METADATA_VERSIONS[random.index(METADATA_VERSIONS.len() - 1)]),
            has_stranger: nodes > 1 && random.chance(STRANGER_PERCENT),
            controllers: if nodes > 1 && random.chance(SPLIT_PERCENT) {
                [1, 1, 3][random.index(3)]
            } else {
                0
            },
            moves: Moves::new(later),
        }
    }

    pub(super) fn has(&self, work: Work) -> bool {
        self.work.contains(&work)
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}, {:?}, {} ms", self.work, self.faults, self.trouble_ms)?;
        self.begins_at.map_or(Ok(()), |level| write!(f, ", begins at {level}"))?;
        if self.has_stranger {
            write!(f, ", a stranger")?;
        }
        if self.controllers > 0 {
            write!(f, ", {} controllers", self.controllers)?;
        }
        if let Some(moves) = &self.moves {
            write!(f, ", two directories, {} ms", moves.pause_ms)?;
        }
        Ok(())
    }
}
