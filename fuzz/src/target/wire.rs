//! Messages: two bytes choose which, one its version, then the body.

use bytes::Bytes;
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, Message, Request, decode_exact, encode_to_bytes};

use crate::Target;

/// A structure of ours takes up to forty times its shortest bytes, a growing array both its old and
/// its new room, and two of them are compared.
const STRUCTURES: usize = 2 << 20;

/// Requests of every API and version.
pub const REQUEST: Target =
    Target { name: "request", constant: STRUCTURES, run: request, seeds: requests };
/// Responses of every API and version.
pub const RESPONSE: Target =
    Target { name: "response", constant: STRUCTURES, run: response, seeds: responses };
/// Every message and record there is, also those no request carries.
pub const RECORD: Target =
    Target { name: "record", constant: STRUCTURES, run: record, seeds: records };

fn request(data: &[u8]) {
    let [high, low, byte, body @ ..] = data else { return };
    let Some(key) = ApiKey::from_i16(i16::from_be_bytes([*high, *low])) else { return };
    macro_rules! each {
        ($request:ident) => {
            if key == <$request as Request>::KEY {
                return message::<$request>(version::<$request>(*byte), body);
            }
        };
    }
    ottla_protocol::for_each_request!(each);
}

fn response(data: &[u8]) {
    let [high, low, byte, body @ ..] = data else { return };
    let Some(key) = ApiKey::from_i16(i16::from_be_bytes([*high, *low])) else { return };
    macro_rules! each {
        ($request:ident) => {
            if key == <$request as Request>::KEY {
                type Response = <$request as Request>::Response;
                return message::<Response>(version::<Response>(*byte), body);
            }
        };
    }
    ottla_protocol::for_each_request!(each);
}

fn record(data: &[u8]) {
    let [high, low, byte, body @ ..] = data else { return };
    let chosen = u16::from_be_bytes([*high, *low]);
    let mut number = 0u16;
    macro_rules! each {
        ($message:ident) => {
            if number == chosen {
                return message::<$message>(version::<$message>(*byte), body);
            }
            number += 1;
        };
    }
    ottla_protocol::for_each_message!(each);
    let _ = number;
}

/// Reads one message; if that works, it must be writable and then read as what it was.
fn message<M: Message + PartialEq>(version: i16, body: &[u8]) {
    let Ok(value) = decode_exact::<M>(Bytes::copy_from_slice(body), version) else { return };
    let written = encode_to_bytes(&value, version).expect("what was read can be written");
    let again: M = decode_exact(written.clone(), version).expect("what was written can be read");
    // A NaN is not equal to itself, its bytes are.
    assert!(again == value || encode_to_bytes(&again, version).as_ref() == Ok(&written));
    drop(value);
    assert_eq!(encode_to_bytes(&again, version), Ok(written));
}

/// The version that a byte chooses among those of `M`.
fn version<M: Message>(byte: u8) -> i16 {
    let count = (M::VERSIONS.end() - M::VERSIONS.start() + 1) as u8;
    M::VERSIONS.start() + i16::from(byte % count)
}

/// The default value in its newest version, behind the three bytes that choose it.
fn seed<M: Message>(number: u16, seeds: &mut Vec<Vec<u8>>) {
    let newest = (M::VERSIONS.end() - M::VERSIONS.start()) as u8;
    if let Ok(body) = encode_to_bytes(&M::default(), *M::VERSIONS.end()) {
        let mut bytes = number.to_be_bytes().to_vec();
        bytes.push(newest);
        bytes.extend_from_slice(&body);
        seeds.push(bytes);
    }
}

fn requests() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    macro_rules! each {
        ($request:ident) => {
            seed::<$request>(<$request as Request>::KEY as i16 as u16, &mut seeds);
        };
    }
    ottla_protocol::for_each_request!(each);
    seeds
}

fn responses() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    macro_rules! each {
        ($request:ident) => {
            seed::<<$request as Request>::Response>(<$request as Request>::KEY as i16 as u16, &mut seeds);
        };
    }
    ottla_protocol::for_each_request!(each);
    seeds
}

fn records() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    let mut number = 0u16;
    macro_rules! each {
        ($message:ident) => {
            seed::<$message>(number, &mut seeds);
            number += 1;
        };
    }
    ottla_protocol::for_each_message!(each);
    let _ = number;
    seeds
}
