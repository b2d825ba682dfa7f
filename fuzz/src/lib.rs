//! The fuzz targets: everything that reads bytes from outside, and what must hold of it.
//!
//! A target is a function over bytes that panics where something does not hold, and the bytes it may
//! allocate beyond four times its input. `fuzz_targets/` gives each to libFuzzer; `tests/` runs them
//! on a stable compiler.

pub mod bound;
pub mod target;

/// One target.
pub struct Target {
    pub name: &'static str,
    /// What an execution may hold beyond four times its input: decoded structures are larger than
    /// their shortest bytes, and some code fills a buffer of a fixed size.
    pub constant: usize,
    pub run: fn(&[u8]),
    /// Inputs worth beginning with.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    target::wire::REQUEST,
    target::wire::RESPONSE,
    target::wire::RECORD,
    target::batches::BATCH,
    target::batches::LEGACY,
    target::batches::VALIDATE,
    target::codecs::GZIP,
    target::codecs::SNAPPY,
    target::codecs::LZ4,
    target::codecs::ZSTD,
    target::logs::METADATA_FRAME,
    target::logs::COORDINATOR,
    target::disk::CHECKPOINT,
    target::disk::WRITE_AHEAD,
    target::disk::RECOVERY,
    target::disk::SEGMENT,
    target::disk::INDEX,
    target::disk::KAFKA_FILES,
    target::config::CONFIG,
    target::connection::CONNECTION,
];

impl Target {
    /// Writes the seeds where `FUZZ_SEEDS` says, before libFuzzer reads its corpus.
    pub fn begin(&self) {
        let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(std::path::PathBuf::from) else {
            return;
        };
        for (number, seed) in (self.seeds)().iter().enumerate() {
            let path = folder.join(format!("seed-{number:04}"));
            std::fs::write(&path, seed).expect("the corpus can be written");
        }
    }

    /// One execution, within its bound.
    pub fn execute(&self, data: &[u8]) {
        bound::within(data.len(), self.constant, || (self.run)(data));
    }
}

/// Seeds for a target that finds its own way.
fn no_seeds() -> Vec<Vec<u8>> {
    Vec::new()
}
