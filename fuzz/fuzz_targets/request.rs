//! See `ottla_fuzz::target::wire`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::wire::REQUEST;

fuzz_target!(init: REQUEST.begin(), |data: &[u8]| REQUEST.execute(data));
