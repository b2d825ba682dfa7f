//! See `ottla_fuzz::target::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::disk::SEGMENT;

fuzz_target!(init: SEGMENT.begin(), |data: &[u8]| SEGMENT.execute(data));
