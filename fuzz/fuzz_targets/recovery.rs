//! See `ottla_fuzz::target::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::disk::RECOVERY;

fuzz_target!(init: RECOVERY.begin(), |data: &[u8]| RECOVERY.execute(data));
