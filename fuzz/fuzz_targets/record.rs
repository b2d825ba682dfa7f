//! Every message and record there is, also those no request carries: two bytes of its place in the list, one of
//! version, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_protocol::messages::*;

fuzz_target!(|data: &[u8]| {
    let [high, low, byte, body @ ..] = data else { return };
    let chosen = u16::from_be_bytes([*high, *low]);
    let mut number = 0u16;
    macro_rules! each {
        ($message:ident) => {
            if number == chosen {
                ottla_fuzz::message::<$message>(ottla_fuzz::version::<$message>(*byte), body);
            }
            number += 1;
        };
    }
    ottla_protocol::for_each_message!(each);
    let _ = number;
});
