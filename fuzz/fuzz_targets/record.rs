//! See `ottla_fuzz::target::wire`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::wire::RECORD;

fuzz_target!(init: RECORD.begin(), |data: &[u8]| RECORD.execute(data));
