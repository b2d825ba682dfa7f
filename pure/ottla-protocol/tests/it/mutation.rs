//! Goal: bytes damaged in any way are an error or a value, never a panic; and a value that was read can be written,
//! and then reads as itself. Deterministic, so that every run tries the same hundred thousand frames.

use bytes::Bytes;
use ottla_protocol::json::Random;
use ottla_protocol::messages::*;
use ottla_protocol::records::{
    BatchBuilder, BatchOptions, Compression, batches, control, legacy, records,
};
use ottla_protocol::{Message, decode_exact, encode_to_bytes};

use crate::vectors::vectors;

/// Damaged copies of each vector.
const COPIES: usize = 50;
const UNPACKED_MAX: usize = 1 << 16;

/// Flips, sets, cuts, repeats or inserts a few bytes; lengths and counts get their turn by chance.
fn damage(bytes: &[u8], random: &mut Random) -> Bytes {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            _ if bytes.is_empty() => bytes.push(random.next_u64() as u8),
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 0xff, 0x7f, 0x80, 1][random.below(5)],
            2 => bytes.truncate(at),
            3 => bytes.insert(at, random.next_u64() as u8),
            4 => {
                let end = (at + random.below(16)).min(bytes.len());
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => bytes[at] = random.next_u64() as u8,
        }
    }
    Bytes::from(bytes)
}

fn try_message<M: Message>(bytes: Bytes, version: i16) -> bool {
    let Ok(value) = decode_exact::<M>(bytes, version) else { return false };
    let written = encode_to_bytes(&value, version).expect("what was read can be written");
    let again: M = decode_exact(written.clone(), version).expect("what was written can be read");
    assert_eq!(encode_to_bytes(&again, version), Ok(written), "{} v{version}", M::NAME);
    true
}

#[test]
fn damaged_messages() {
    let all = vectors();
    let mut random = Random::new(2026);
    let (mut tried, mut read) = (0, 0);
    macro_rules! each {
        ($message:ident) => {
            for vector in all.get($message::NAME).into_iter().flatten() {
                for _ in 0..COPIES {
                    let bytes = damage(&vector.bytes, &mut random);
                    read += usize::from(try_message::<$message>(bytes, vector.version));
                    tried += 1;
                }
            }
        };
    }
    ottla_protocol::for_each_message!(each);
    assert!(tried > 100_000 && read > tried / 20, "{read} of {tried} still read");
}

#[test]
fn damaged_batches() {
    let mut random = Random::new(7);
    for codec in Compression::ALL {
        let options = BatchOptions { compression: codec, ..BatchOptions::default() };
        let mut builder = BatchBuilder::new(options);
        for i in 0..20 {
            builder.push(i, Some(b"some key"), Some(&[7; 30]), &[("header", Some(b"value"))]);
        }
        let batch = builder.build();
        for _ in 0..4000 {
            let bytes = damage(&batch, &mut random);
            for item in batches(&bytes) {
                let Ok((header, batch)) = item else { break };
                let _ = control::first_of(&header, &batch);
                let Ok(found) = records(&header, &batch, UNPACKED_MAX) else { continue };
                let total: usize = found
                    .flatten()
                    .map(|r| r.value.map_or(0, |v| v.len()) + r.key.map_or(0, |k| k.len()))
                    .sum();
                assert!(total <= UNPACKED_MAX.max(batch.len()));
            }
        }
    }
}

#[test]
fn damaged_message_sets() {
    // One message of magic 1: key "k", value "v", its CRC right.
    let body = [1, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1, b'k', 0, 0, 0, 1, b'v'];
    let mut set = vec![0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, body.len() as u8 + 4];
    set.extend_from_slice(&ottla_protocol::records::crc32(&body).to_be_bytes());
    set.extend_from_slice(&body);
    assert_eq!(legacy::messages(&Bytes::from(set.clone()), 0).map(|m| m.len()), Ok(1));
    let mut random = Random::new(8);
    for _ in 0..20_000 {
        let _ = legacy::messages(&damage(&set, &mut random), UNPACKED_MAX);
    }
}
