//! See `ottla_fuzz::target::codecs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::codecs::SNAPPY;

fuzz_target!(init: SNAPPY.begin(), |data: &[u8]| SNAPPY.execute(data));
