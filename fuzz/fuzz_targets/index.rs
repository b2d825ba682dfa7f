//! See `ottla_fuzz::target::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::disk::INDEX;

fuzz_target!(init: INDEX.begin(), |data: &[u8]| INDEX.execute(data));
