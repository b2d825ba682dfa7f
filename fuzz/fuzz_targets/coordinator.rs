//! See `ottla_fuzz::target::logs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::logs::COORDINATOR;

fuzz_target!(init: COORDINATOR.begin(), |data: &[u8]| COORDINATOR.execute(data));
