//! See `ottla_fuzz::target::codecs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::codecs::GZIP;

fuzz_target!(init: GZIP.begin(), |data: &[u8]| GZIP.execute(data));
