//! See `ottla_fuzz::target::batches`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::batches::LEGACY;

fuzz_target!(init: LEGACY.begin(), |data: &[u8]| LEGACY.execute(data));
