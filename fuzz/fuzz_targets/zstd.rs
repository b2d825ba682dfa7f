//! See `ottla_fuzz::target::codecs`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::codecs::ZSTD;

fuzz_target!(init: ZSTD.begin(), |data: &[u8]| ZSTD.execute(data));
