//! See `ottla_fuzz::target::config`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::config::CONFIG;

fuzz_target!(init: CONFIG.begin(), |data: &[u8]| CONFIG.execute(data));
