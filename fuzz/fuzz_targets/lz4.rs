//! See `ottla_fuzz::target::codecs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::codecs::LZ4;

fuzz_target!(init: LZ4.begin(), |data: &[u8]| LZ4.execute(data));
