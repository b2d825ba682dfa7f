//! A whole connection: one byte chooses how its bytes are cut into reads, the rest are sent.

use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, Encoder, Message, encode_to_bytes};

use crate::Target;

/// One pooled buffer of 64 KiB, its successor while requests hold it, and decoded structures.
const BUFFERS: usize = 1 << 20;

pub const CONNECTION: Target =
    Target { name: "connection", constant: BUFFERS, run: connection, seeds: streams };

fn connection(data: &[u8]) {
    let [step, bytes @ ..] = data else { return };
    let step = match step {
        0..=63 => usize::from(*step) + 1,
        _ => usize::from(*step) * 64,
    };
    let whole = ottla_broker::fuzzing::connection(bytes, step);
    // However the bytes are cut, the same requests come out.
    assert_eq!(ottla_broker::fuzzing::connection(bytes, usize::MAX), whole);
}

fn streams() -> Vec<Vec<u8>> {
    let requests: [(ApiKey, i16, Vec<u8>); 4] = [
        (ApiKey::ApiVersions, 4, body(&ApiVersionsRequest::default(), 4)),
        (ApiKey::Metadata, 12, body(&MetadataRequest::default(), 12)),
        (ApiKey::Fetch, 17, body(&FetchRequest::default(), 17)),
        (ApiKey::Produce, 9, body(&ProduceRequest::default(), 9)),
    ];
    let mut stream = vec![7];
    let mut seeds = Vec::new();
    for (key, version, body) in requests {
        let header = RequestHeader {
            request_api_key: key as i16,
            request_api_version: version,
            correlation_id: 1,
            ..RequestHeader::default()
        };
        let mut encoder = Encoder::new();
        header
            .encode(&mut encoder, key.request_header_version(version))
            .expect("a header can be written");
        let mut frame = encoder.into_bytes().to_vec();
        frame.extend_from_slice(&body);
        stream.extend_from_slice(&(frame.len() as i32).to_be_bytes());
        stream.extend_from_slice(&frame);
        seeds.push(stream.clone());
    }
    seeds
}

fn body<M: Message>(message: &M, version: i16) -> Vec<u8> {
    encode_to_bytes(message, version).expect("a default can be written").to_vec()
}
