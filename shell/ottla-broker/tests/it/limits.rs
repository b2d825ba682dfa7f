//! Limits: on connections, on memory, on patience.

use std::time::Duration;

use ottla_env::Env;
use ottla_env::os::OsEnv;
use ottla_protocol::messages::ApiVersionsRequest;

use crate::world::{Place, on_os};

async fn per_address<E: Env>(place: Place<E>) {
    let node = place.start(&[("max.connections.per.ip", "2")]).await;
    let mut first = node.connect().await;
    let mut second = node.connect().await;
    let any = ApiVersionsRequest::default();
    first.call(0, &any).await;
    second.call(0, &any).await;
    let mut third = node.connect().await;
    assert!(third.is_closed().await, "one too many");
    drop(first);
    // The place is free again, a moment later.
    let mut free = false;
    for _ in 0..100 {
        let mut next = node.connect().await;
        next.post(0, &any).await;
        if !next.is_closed().await {
            free = true;
            break;
        }
        place.env.sleep(Duration::from_millis(20)).await;
    }
    assert!(free);
    node.broker.shutdown().await;
}

#[test]
fn an_address_has_a_limit() {
    everywhere!(per_address);
}

async fn idle<E: Env>(place: Place<E>) {
    let node = place.start(&[("connections.max.idle.ms", "500")]).await;
    let mut client = node.connect().await;
    client.call(0, &ApiVersionsRequest::default()).await;
    let started = place.env.now();
    assert!(client.is_closed().await);
    assert!(place.env.now().since(started) >= Duration::from_millis(400));
    node.broker.shutdown().await;
}

#[test]
fn an_idle_connection_is_closed() {
    everywhere!(idle);
}

/// Resident memory of this process.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib * 1024
}

/// Goal: announcing is free for the node. Method: 10,000 connections (as many as the limit of open
/// files allows) that announce 100 MB each and send a little of it; both ends live in this process, so
/// the bound is generous.
async fn announcers(place: Place<OsEnv>) {
    let open_files = usize::try_from(ottla_env::os::raise_file_limit().unwrap()).unwrap();
    let connections = (open_files.saturating_sub(500) / 2).min(10_000);
    let node = place.start(&[]).await;
    let before = resident_bytes();
    let mut clients = Vec::new();
    for _ in 0..connections {
        let mut client = node.connect().await;
        client.send(&104_857_600_i32.to_be_bytes()).await;
        client.send(&[0; 100]).await;
        clients.push(client);
    }
    let mut healthy = node.connect().await;
    healthy.call(0, &ApiVersionsRequest::default()).await;
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < connections * 24 * 1024, "{grown} bytes for {connections} connections");
    drop(clients);
    node.broker.shutdown().await;
}

#[test]
fn announced_frames_cost_no_memory() {
    on_os(announcers);
}

/// Goal: half-received frames that fill the budget do not keep others out. Method: a small budget,
/// connections that send more than it in all and then nothing, and a client that wants an answer.
async fn starving<E: Env>(place: Place<E>) {
    let node = place.start(&[("ottla.memory.budget", "8388608")]).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        let mut client = node.connect().await;
        client.send(&104_857_600_i32.to_be_bytes()).await;
        client.send(&vec![0; 60_000]).await;
        clients.push(client);
    }
    let mut healthy = node.connect().await;
    healthy.call(0, &ApiVersionsRequest::default()).await;
    drop(clients);
    node.broker.shutdown().await;
}

#[test]
fn half_received_frames_keep_nobody_out() {
    everywhere!(starving);
}
