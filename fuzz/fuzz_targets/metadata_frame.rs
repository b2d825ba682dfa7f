//! See `ottla_fuzz::target::logs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::logs::METADATA_FRAME;

fuzz_target!(init: METADATA_FRAME.begin(), |data: &[u8]| METADATA_FRAME.execute(data));
