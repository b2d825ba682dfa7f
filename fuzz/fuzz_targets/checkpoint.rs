//! See `ottla_fuzz::target::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::disk::CHECKPOINT;

fuzz_target!(init: CHECKPOINT.begin(), |data: &[u8]| CHECKPOINT.execute(data));
