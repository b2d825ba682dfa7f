//! Whether the broker kept what it acknowledged: all records counted, and a sample of batches read back.

use ottla_protocol::records::{BatchHeader, verify_crc};
use serde::Serialize;

use crate::fault::{Fault, Outcome};
use crate::topic;
use crate::wire::Wire;

/// Batches a connection keeps for reading back.
const SAMPLES_MAX: usize = 32;

/// A batch that was acknowledged: where it lies, and the CRC of what was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) crc: u32,
}

/// What was acknowledged, and some of it by place, spread over the whole run.
#[derive(Debug, Default)]
pub(crate) struct Acknowledged {
    pub(crate) records: u64,
    samples: Vec<Sample>,
    batches: u64,
    every: u64,
}

impl Acknowledged {
    /// Counts a batch; says whether it is one to keep.
    pub(crate) fn wants_sample(&mut self) -> bool {
        self.batches += 1;
        self.batches.is_multiple_of(self.every.max(1))
    }

    pub(crate) fn sample(&mut self, sample: Sample) {
        self.samples.push(sample);
        if self.samples.len() >= SAMPLES_MAX {
            // Every second one goes, and from now on half as many come.
            let mut keep = false;
            self.samples.retain(|_| {
                keep = !keep;
                keep
            });
            self.every = self.every.max(1) * 2;
        }
    }

    pub(crate) fn add(&mut self, other: Acknowledged) {
        self.records += other.records;
        self.samples.extend(other.samples);
    }
}

/// What the check found; it fails rather than say that something is missing.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Verified {
    /// Records acknowledged, warm-up and end included, as many as the logs grew by.
    pub(crate) acknowledged: u64,
    /// Batches read back with the CRC they were sent with.
    pub(crate) batches_read_back: u64,
}

/// Compares the growth of the partitions since `before` with what was acknowledged, and reads the sample.
pub(crate) fn verify(
    wire: &mut Wire,
    name: &str,
    before: &[i64],
    acknowledged: &Acknowledged,
) -> Outcome<Verified> {
    let after = topic::offsets(wire, name, before.len() as i32, -1)?;
    let grown: i64 = after.iter().zip(before).map(|(after, before)| after - before).sum();
    if grown != acknowledged.records as i64 {
        return Err(Fault::new(format!(
            "{} records were acknowledged, the partitions grew by {grown}",
            acknowledged.records
        )));
    }
    for sample in &acknowledged.samples {
        read_sample(wire, name, *sample)?;
    }
    Ok(Verified {
        acknowledged: acknowledged.records,
        batches_read_back: acknowledged.samples.len() as u64,
    })
}

fn read_sample(wire: &mut Wire, name: &str, sample: Sample) -> Outcome<()> {
    let Sample { partition, offset, crc } = sample;
    let wrong = |what: &str| Fault::new(format!("{name}-{partition} at {offset}: {what}"));
    let records = topic::read_back(wire, name, partition, offset)?;
    let header = BatchHeader::parse(&records).map_err(|error| wrong(&error.to_string()))?;
    if header.base_offset != offset {
        return Err(wrong(&format!("the batch there begins at {}", header.base_offset)));
    }
    if header.crc != crc {
        return Err(wrong("another CRC than was sent"));
    }
    let batch = records.get(..header.size_in_bytes()).ok_or_else(|| wrong("half a batch"))?;
    verify_crc(batch).map_err(|error| wrong(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_spread_over_the_whole_run() {
        let mut acknowledged = Acknowledged::default();
        for offset in 0..100_000 {
            if acknowledged.wants_sample() {
                acknowledged.sample(Sample { partition: 0, offset, crc: 0 });
            }
        }
        let offsets: Vec<i64> = acknowledged.samples.iter().map(|sample| sample.offset).collect();
        assert!(offsets.len() >= SAMPLES_MAX / 2 && offsets.len() < SAMPLES_MAX);
        assert!(offsets[0] < 10_000 && *offsets.last().expect("some") > 80_000, "{offsets:?}");
    }
}
