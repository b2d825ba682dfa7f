//! What strangers send. Promise: the connection is closed, or the error is Kafka's; the node lives
//! and serves the next client.

use bytes::Bytes;
use ottla_env::Env;
use ottla_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, MetadataRequest, SaslHandshakeRequest,
};
use ottla_protocol::{ApiKey, Decoder, ErrorCode, Message, Str};

use crate::world::{Client, Node, Place, framed};

fn api_versions() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: Str::from_static("it"),
        client_software_version: Str::from_static("1.0"),
        ..ApiVersionsRequest::default()
    }
}

/// The node answers a client that behaves.
async fn assert_alive<E: Env>(node: &Node<E>) {
    let response = node.connect().await.call(4, &api_versions()).await;
    assert_eq!(response.error_code, 0);
    assert!(response.api_keys.iter().any(|api| api.api_key == ApiKey::Fetch.code()));
}

/// Sends `bytes` on a new connection and expects it to be closed.
async fn assert_closes<E: Env>(node: &Node<E>, bytes: &[u8]) {
    let mut client = node.connect().await;
    client.send(bytes).await;
    assert!(client.is_closed().await, "{bytes:02x?}");
    assert_alive(node).await;
}

fn header(key: i16, version: i16) -> Vec<u8> {
    let mut bytes = key.to_be_bytes().to_vec();
    bytes.extend_from_slice(&version.to_be_bytes());
    bytes.extend_from_slice(&7_i32.to_be_bytes());
    bytes.extend_from_slice(&(-1_i16).to_be_bytes());
    bytes
}

async fn frames_that_cannot_be<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    for length in [i32::MAX, 104_857_601, -1, i32::MIN] {
        let mut bytes = length.to_be_bytes().to_vec();
        bytes.extend_from_slice(b"hello");
        assert_closes(&node, &bytes).await;
    }
    assert_closes(&node, &framed(b"")).await;
    assert_closes(&node, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    // A TLS client on a plain port.
    assert_closes(&node, &[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03]).await;
    node.broker.shutdown().await;
}

#[test]
fn a_frame_that_cannot_be_closes_the_connection() {
    everywhere!(frames_that_cannot_be);
}

async fn random_bytes<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    for round in 0..40_usize {
        let mut bytes = vec![0; 20 + round * 7];
        place.env.fill_random(&mut bytes);
        // ApiVersions of an unknown version is answered (KIP-511), and one frame of 65,536 asks for that.
        if bytes[..2] == ApiKey::ApiVersions.code().to_be_bytes() {
            bytes[0] = !bytes[0];
        }
        // Framed, so that the header and body are reached.
        assert_closes(&node, &framed(&bytes)).await;
        let key = i16::from_be_bytes([0, bytes[0] % 96]);
        let mut known = header(key, i16::from(bytes[1] % 12));
        known.extend_from_slice(&bytes);
        let mut client = node.connect().await;
        client.send(&framed(&known)).await;
        drop(client);
    }
    assert_alive(&node).await;
    node.broker.shutdown().await;
}

#[test]
fn random_bytes_harm_nobody_else() {
    everywhere!(random_bytes);
}

async fn half_a_frame<E: Env>(place: Place<E>) {
    let node = place.start(&[("connections.max.idle.ms", "300")]).await;
    let mut client = node.connect().await;
    client.send(&1000_i32.to_be_bytes()).await;
    client.send(&header(18, 0)).await;
    assert_alive(&node).await;
    assert!(client.is_closed().await, "it is idle");
    node.broker.shutdown().await;
}

#[test]
fn half_a_frame_waits_no_longer_than_an_idle_connection() {
    everywhere!(half_a_frame);
}

async fn unknown_requests<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    for (key, version) in [(999, 0), (-1, 0), (4, 1), (0, 99), (0, -1), (1, 3), (3, 99)] {
        assert_closes(&node, &framed(&header(key, version))).await;
    }
    // A known request that ends too early.
    assert_closes(&node, &framed(&header(3, 1))).await;
    // An array that announces more elements than there are bytes.
    let mut announcing = header(3, 1);
    announcing.extend_from_slice(&i32::MAX.to_be_bytes());
    assert_closes(&node, &framed(&announcing)).await;
    node.broker.shutdown().await;
}

/// librdkafka 2.16's Metadata v13 for all topics: a 4-byte zero where a 1-byte one belongs.
async fn bytes_left_over<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    client.send(&framed(&[&header(3, 13)[..], &[0], &[0, 0, 0, 0, 1, 0, 0]].concat())).await;
    assert!(client.frame().await.is_some(), "answered, as Kafka does");
    node.broker.shutdown().await;
}

#[test]
fn bytes_left_over_are_ignored() {
    everywhere!(bytes_left_over);
}

#[test]
fn unknown_requests_close_the_connection() {
    everywhere!(unknown_requests);
}

/// The answer's body, read as `version`.
async fn body<E: Env>(client: &mut Client<E>, version: i16) -> ApiVersionsResponse {
    let frame: Bytes = client.frame().await.unwrap();
    let mut decoder = Decoder::new(frame.slice(4..));
    let response = ApiVersionsResponse::decode(&mut decoder, version).unwrap();
    decoder.finish().unwrap();
    response
}

async fn api_versions_of_tomorrow<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    let mut newer = header(18, 99);
    newer.push(0); // no tagged fields
    newer.extend_from_slice(b"whatever");
    client.send(&framed(&newer)).await;
    let response = body(&mut client, 0).await;
    assert_eq!(response.error_code, ErrorCode::UnsupportedVersion.code());
    let ranges: Vec<_> = response
        .api_keys
        .iter()
        .map(|api| (api.api_key, api.min_version, api.max_version))
        .collect();
    assert_eq!(ranges, [(18, 0, 5)]);
    // The same connection goes on with what it has learnt.
    assert_eq!(client.call(0, &ApiVersionsRequest::default()).await.error_code, 0);
    let nameless =
        ApiVersionsRequest { client_software_name: Str::from_static("a b"), ..api_versions() };
    let refused = client.call(3, &nameless).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidRequest.code());
    let half = ApiVersionsRequest { node_id: 999, cluster_id: None, ..api_versions() };
    let refused = client.call(5, &half).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidRequest.code());
    let elsewhere = Some(Str::from_static("elsewhere"));
    let misled = ApiVersionsRequest { node_id: 999, cluster_id: elsewhere, ..api_versions() };
    let refused = client.call(5, &misled).await;
    assert_eq!(refused.error_code, ErrorCode::RebootstrapRequired.code());
    let sasl = SaslHandshakeRequest { mechanism: Str::from_static("PLAIN") };
    let refused = client.call(1, &sasl).await;
    assert_eq!(refused.error_code, ErrorCode::IllegalSaslState.code());
    node.broker.shutdown().await;
}

#[test]
fn api_versions_are_negotiated() {
    everywhere!(api_versions_of_tomorrow);
}

async fn pipelined<E: Env>(place: Place<E>) {
    let node = place.start(&[]).await;
    let mut client = node.connect().await;
    let mut posted = Vec::new();
    for _ in 0..50 {
        posted.push(client.post(4, &api_versions()).await);
    }
    for correlation_id in posted {
        client.answer::<ApiVersionsRequest>(4, correlation_id).await;
    }
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let metadata = client.call(12, &all).await;
    assert_eq!(metadata.brokers.len(), 1);
    node.broker.shutdown().await;
}

#[test]
fn answers_come_in_the_order_of_requests() {
    everywhere!(pipelined);
}
