//! See `ottla_fuzz::target::batches`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::target::batches::VALIDATE;

fuzz_target!(init: VALIDATE.begin(), |data: &[u8]| VALIDATE.execute(data));
