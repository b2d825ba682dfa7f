//! See `ottla_fuzz::target::batches`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::batches::BATCH;

fuzz_target!(init: BATCH.begin(), |data: &[u8]| BATCH.execute(data));
