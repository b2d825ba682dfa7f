//! See `ottla_fuzz::target::disk`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::disk::KAFKA_FILES;

fuzz_target!(init: KAFKA_FILES.begin(), |data: &[u8]| KAFKA_FILES.execute(data));
