//! Responses of every API and version: two bytes of key, one of version, then the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ottla_fuzz::{message, version};
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, Request};

fuzz_target!(|data: &[u8]| {
    let [high, low, byte, body @ ..] = data else { return };
    let Some(key) = ApiKey::from_i16(i16::from_be_bytes([*high, *low])) else { return };
    macro_rules! each {
        ($request:ident) => {
            if key == <$request as Request>::KEY {
                type Response = <$request as Request>::Response;
                message::<Response>(version::<Response>(*byte), body);
            }
        };
    }
    ottla_protocol::for_each_request!(each);
});
