//! See `ottla_fuzz::target::connection`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::connection::CONNECTION;

fuzz_target!(init: CONNECTION.begin(), |data: &[u8]| CONNECTION.execute(data));
