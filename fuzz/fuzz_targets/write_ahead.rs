//! See `ottla_fuzz::target::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::disk::WRITE_AHEAD;

fuzz_target!(init: WRITE_AHEAD.begin(), |data: &[u8]| WRITE_AHEAD.execute(data));
