//! Goal: a partition is a list of records with offsets, whatever was flushed, rolled, cut, deleted or
//! reopened in between. Method: random operations against that list, in the simulator.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ottla_env::sim::{LossPlan, Sim, SimEnv};
use ottla_log::{
    AppendError, AppendOptions, DataDir, DataDirOptions, LogConfig, Partition, ReadOptions,
    Sendable, Slices,
};
use ottla_protocol::records::{batches, records};
use proptest::prelude::*;

use crate::world::{batch, id, small};

#[derive(Debug, Clone)]
enum Operation {
    /// Records of this size, with these timestamps.
    Append {
        size: usize,
        timestamps: Vec<i64>,
    },
    DeleteRecords {
        percent: i64,
    },
    /// Back to the batch boundary at this share of the log.
    Truncate {
        percent: usize,
    },
    Pass {
        ms: u64,
    },
    Retain,
    Reopen {
        orderly: bool,
    },
    Read {
        percent: i64,
        max_bytes: usize,
    },
    Find {
        timestamp: i64,
    },
}

fn operation() -> impl Strategy<Value = Operation> {
    let timestamp = prop_oneof![1000i64..1060, Just(5000), Just(10)];
    prop_oneof![
        8 => (1usize..900, prop::collection::vec(timestamp, 1..4))
            .prop_map(|(size, timestamps)| Operation::Append { size, timestamps }),
        1 => (0i64..110).prop_map(|percent| Operation::DeleteRecords { percent }),
        1 => (0usize..101).prop_map(|percent| Operation::Truncate { percent }),
        2 => (1u64..2500).prop_map(|ms| Operation::Pass { ms }),
        1 => Just(Operation::Retain),
        1 => any::<bool>().prop_map(|orderly| Operation::Reopen { orderly }),
        3 => (0i64..101, 1usize..4000)
            .prop_map(|(percent, max_bytes)| Operation::Read { percent, max_bytes }),
        3 => (990i64..1070).prop_map(|timestamp| Operation::Find { timestamp }),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    offset: i64,
    timestamp: i64,
    value: Vec<u8>,
    /// Its batch's first offset.
    batch: i64,
}

struct World {
    sim: Sim,
    dir: Option<DataDir<SimEnv>>,
    options: DataDirOptions,
    config: LogConfig,
    log: Vec<Known>,
    log_start: i64,
    log_end: i64,
}

impl World {
    fn new(seed: u64, segment_bytes: u32) -> World {
        let options = small(Path::new("/data"));
        let config = LogConfig {
            segment_bytes,
            index_interval_bytes: 600,
            retention_bytes: 20_000,
            retention_ms: -1,
            ..LogConfig::default()
        };
        let (log, sim) = (Vec::new(), Sim::new(seed));
        let mut world = World { sim, dir: None, options, config, log, log_start: 0, log_end: 0 };
        world.open();
        world
    }

    fn open(&mut self) {
        let (env, options) = (self.sim.node("n"), self.options.clone());
        self.dir = Some(self.sim.block_on(async move { DataDir::open(env, options) }).unwrap().0);
        let config = self.config.clone();
        self.dir.as_ref().unwrap().create_partition(&id("t", 1, 0), config).unwrap();
    }

    fn partition(&self) -> Arc<Partition<SimEnv>> {
        self.dir.as_ref().unwrap().partition(id("t", 1, 0).topic_id, 0).unwrap()
    }

    fn settle(&self, lsn: u64) {
        let dir = self.dir.clone().unwrap();
        self.sim.block_on(async move { dir.wait_durable(lsn).await }).unwrap();
    }

    fn append(&mut self, size: usize, timestamps: &[i64]) {
        use ottla_protocol::records::{BatchBuilder, BatchOptions};
        let mut builder = BatchBuilder::new(BatchOptions::default());
        let base = self.log_end;
        for (index, timestamp) in timestamps.iter().enumerate() {
            let value = vec![(base + index as i64) as u8; size];
            builder.push(*timestamp, None, Some(&value), &[]);
            let offset = base + index as i64;
            self.log.push(Known { offset, timestamp: *timestamp, value, batch: base });
        }
        let records = builder.build();
        let (dir, partition) = (self.dir.clone().unwrap(), self.partition());
        let appended = self.sim.block_on(async {
            loop {
                let options = AppendOptions::client(0, 1_000_000);
                match partition.append(records.clone(), &options) {
                    Err(AppendError::Busy) => dir.room().await,
                    other => return other.unwrap(),
                }
            }
        });
        self.log_end = base + timestamps.len() as i64;
        assert_eq!((appended.base_offset, appended.last_offset), (base, self.log_end - 1));
        self.settle(appended.lsn);
    }

    fn share(&self, percent: i64) -> i64 {
        self.log_start + (self.log_end - self.log_start) * percent / 100
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Append { size, timestamps } => self.append(*size, timestamps),
            Operation::DeleteRecords { percent } => {
                let offset = self.share(*percent);
                let deleted = self.partition().delete_records_before(offset);
                if offset > self.log_end {
                    assert!(deleted.is_err());
                    return;
                }
                let deleted = deleted.unwrap();
                self.log_start = self.log_start.max(offset);
                assert_eq!(deleted.log_start, self.log_start);
                self.settle(deleted.lsn);
            }
            Operation::Truncate { percent } => {
                let index = self.log.len() * percent / 100;
                let Some(to) = self.log.get(index).map(|known| known.batch) else { return };
                if to < self.log_start {
                    return;
                }
                let lsn = self.partition().truncate_to(to).unwrap();
                self.log.retain(|known| known.offset < to);
                self.log_end = to;
                self.settle(lsn);
            }
            Operation::Pass { ms } => self.sim.advance(Duration::from_millis(*ms)),
            Operation::Retain => {
                self.dir.as_ref().unwrap().run_maintenance(2_000_000);
                let now = self.partition().offsets().log_start;
                assert!(now >= self.log_start && now <= self.log_end);
                self.log_start = now;
                self.settle(self.dir.as_ref().unwrap().staged());
            }
            Operation::Reopen { orderly } => {
                let dir = self.dir.take().unwrap();
                let orderly = *orderly;
                self.sim.block_on(async move {
                    if orderly { dir.close().await } else { dir.abandon().await }
                });
                if !orderly {
                    self.sim.power_cut_with("n", &LossPlan::lose_all());
                    self.sim.restart("n");
                }
                self.open();
            }
            Operation::Read { percent, max_bytes } => self.read(self.share(*percent), *max_bytes),
            Operation::Find { timestamp } => self.find(*timestamp),
        }
        self.check();
    }

    fn check(&self) {
        let offsets = self.partition().offsets();
        assert_eq!((offsets.log_start, offsets.log_end), (self.log_start, self.log_end));
        assert_eq!(offsets.high_watermark, self.log_end);
        assert_eq!(offsets.last_stable, self.log_end);
    }

    /// Reads from an offset to the end in steps of `max_bytes`: the same as the list, whether the
    /// bytes are handed over or told where they lie.
    fn read(&self, from: i64, max_bytes: usize) {
        let read = |at: i64, options: &ReadOptions| self.partition().read_blocking(at, options);
        self.read_by(from, max_bytes, |at, options| read(at, options).unwrap());
        self.read_by(from, max_bytes, |at, options| {
            match self.partition().read_for_sending(at, options).unwrap() {
                Sendable::Hot(slices) => slices,
                Sendable::Cold(cold) => cold.run().unwrap(),
                Sendable::Warm(run) => {
                    let bytes = run.range.len();
                    assert!(bytes > 0, "a run has a batch");
                    let chunks = [Bytes::from(run.range.read().unwrap())].into_iter().collect();
                    Slices { chunks, bytes, next_offset: run.next_offset }
                }
            }
        });
    }

    fn read_by(&self, from: i64, max_bytes: usize, read: impl Fn(i64, &ReadOptions) -> Slices) {
        let mut at = from;
        let mut seen = Vec::new();
        while at < self.log_end {
            let options = ReadOptions { max_bytes, min_one_batch: true, upper: self.log_end };
            let slices = read(at, &options);
            assert!(slices.next_offset > at);
            let several = slices.chunks.len() > 1;
            assert!(slices.bytes <= max_bytes || !several);
            at = slices.next_offset;
            for one in batches(&slices.into_bytes()) {
                let (header, bytes) = one.unwrap();
                for record in records(&header, &bytes, 1 << 20).unwrap() {
                    let record = record.unwrap();
                    seen.push((record.offset, record.timestamp, record.value.unwrap().to_vec()));
                }
            }
        }
        seen.retain(|record| record.0 >= from);
        let expected: Vec<_> = self
            .log
            .iter()
            .filter(|known| known.offset >= from)
            .map(|known| (known.offset, known.timestamp, known.value.clone()))
            .collect();
        assert_eq!(seen, expected);
    }

    fn find(&self, timestamp: i64) {
        let live = || self.log.iter().filter(|known| known.offset >= self.log_start);
        let expected = live().find(|known| known.timestamp >= timestamp);
        let found = self.partition().offset_for_timestamp(timestamp, self.log_end).unwrap();
        let found = found.map(|found| (found.offset, found.timestamp));
        assert_eq!(found, expected.map(|known| (known.offset, known.timestamp)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]
    #[test]
    fn a_partition_is_a_list(
        seed: u64,
        segment_bytes in prop_oneof![Just(3000u32), Just(9000), Just(1 << 20)],
        operations in prop::collection::vec(operation(), 1..70),
    ) {
        let mut world = World::new(seed, segment_bytes);
        world.append(5, &[1000]);
        for operation in &operations {
            world.apply(operation);
        }
        world.read(world.log_start, 2500);
    }
}

/// What `batch` of the shared world makes is what the list expects.
#[test]
fn one_batch() {
    assert_eq!(batches(&batch(&[b"a"], 1)).count(), 1);
}
