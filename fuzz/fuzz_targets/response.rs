//! See `ottla_fuzz::target::wire`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::wire::RESPONSE;

fuzz_target!(init: RESPONSE.begin(), |data: &[u8]| RESPONSE.execute(data));
