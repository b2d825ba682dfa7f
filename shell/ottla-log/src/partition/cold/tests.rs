//! What a reader finds when the log moves on between its two looks.

use ottla_env::sim::{Sim, SimEnv};
use ottla_protocol::Uuid;
use ottla_protocol::records::{BatchBuilder, BatchOptions};

use super::*;
use crate::config::LogConfig;
use crate::data_dir::DataDir;
use crate::options::{AppendOptions, DataDirOptions, TopicPartition};
use crate::partition::Touched;

fn append(partition: &Arc<Partition<SimEnv>>) {
    let mut builder = BatchBuilder::new(BatchOptions::default());
    builder.push(1000, None, Some(&[7; 3000]), &[]);
    partition.append(builder.build(), &AppendOptions::client(0, 1000)).unwrap();
}

/// Goal: no reader passes over records. Method: it looks for an offset in segments, and before it
/// looks in memory the batch is flushed and let go of, while a newer one is there.
#[test]
fn a_batch_that_leaves_memory_between_two_looks_is_not_passed_over() {
    let sim = Sim::new(1);
    let options = DataDirOptions {
        buffer_bytes: 4096,
        group_bytes: 4096,
        ..DataDirOptions::new(std::path::Path::new("/data"))
    };
    let (dir, _) = DataDir::open(SimEnv::clone(&sim.node("one")), options).unwrap();
    let id = TopicPartition { topic: "orders".into(), topic_id: Uuid([1; 16]), partition: 0 };
    let partition = dir.create_partition(&id, LogConfig::default()).unwrap();
    append(&partition);
    sim.block_on(dir.wait_durable(dir.staged())).unwrap();
    assert!(partition.view(0).unwrap().is_none(), "it is in memory");
    partition.flush(None, &mut Touched::default()).unwrap();
    append(&partition);
    // The first batch lies in the first buffer.
    partition.evict(1);
    let read = ReadOptions { max_bytes: 1 << 20, min_one_batch: true, upper: 2 };
    assert!(partition.read_tail(0, &read).is_none());
    let slices = partition.read_blocking(0, &read).unwrap();
    let (first, _) = batches(&slices.into_bytes()).next().unwrap().unwrap();
    assert_eq!(first.base_offset, 0);
}
