//! The real broker and the real client in one simulated world: produce, cut the power, start again,
//! read. Promise: what was acknowledged is there once, at its offset and in order.

#![allow(clippy::unwrap_used)] // A test that cannot go on says so.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ottla_client::{
    Client, ClientOptions, Consumer, ConsumerOptions, OffsetSpec, Producer, ProducerOptions,
    ProducerRecord,
};
use ottla_env::Env;
use ottla_env::sim::{Random, Sim, SimEnv};
use ottla_sim::node::{BROKER, CLIENT, Flush, Start, address, layers, start};
use parking_lot::Mutex;

const RECORDS: usize = 400;

/// Value of each acknowledged record, by its offset.
type Acknowledged = Arc<Mutex<BTreeMap<i64, String>>>;

#[test]
fn what_the_client_was_promised_survives_power_cuts() {
    for seed in 0..8 {
        let sim = Sim::new(seed);
        let (broker, client) = (sim.node(BROKER), sim.node(CLIENT));
        sim.block_on(story(&sim, seed, broker, client));
    }
}

async fn story(sim: &Sim, seed: u64, broker: SimEnv, env: SimEnv) {
    let mut random = Random::new(seed);
    let bootstrap = address(&broker).to_string();
    begin(sim, broker).await;
    let acknowledged = Acknowledged::default();
    let producing = produce(env.clone(), bootstrap.clone(), acknowledged.clone());
    let mut producing = env.spawn("produce", producing);
    for _ in 0..3 {
        sim.sleep(Duration::from_millis(random.between(1, 300))).await;
        sim.power_cut(BROKER);
        sim.sleep(Duration::from_millis(random.between(1, 300))).await;
        begin(sim, sim.restart(BROKER)).await;
    }
    let ended = env.timeout(Duration::from_secs(600), &mut producing).await;
    ended.expect("the producer ends").expect("and does not fail");
    sim.power_cut(BROKER);
    begin(sim, sim.restart(BROKER)).await;

    let acknowledged = acknowledged.lock().clone();
    assert_eq!(acknowledged.len(), RECORDS, "seed {seed}: every record was acknowledged once");
    let read = consume(env, bootstrap).await;
    assert_eq!(read, acknowledged, "seed {seed}");
    let values: Vec<usize> = read.values().map(|value| value.parse().unwrap()).collect();
    assert!(values.is_sorted(), "seed {seed}: {values:?}");
}

async fn begin(sim: &Sim, env: SimEnv) {
    let started = start(sim, env, layers(Flush::Wal, 1)).await;
    assert!(matches!(started, Start::Up), "{started:?}");
}

/// Sends all records, a few at a time, and notes where each went.
async fn produce(env: SimEnv, bootstrap: String, acknowledged: Acknowledged) {
    let client = Client::connect(env.clone(), ClientOptions::new(&bootstrap)).await.unwrap();
    let options = ProducerOptions {
        batch_bytes: 200,
        linger: Duration::from_millis(1),
        delivery_timeout: Duration::from_secs(600),
        ..ProducerOptions::default()
    };
    let producer = Producer::new(client, options).unwrap();
    let mut sent = Vec::new();
    for value in (0..RECORDS).map(|number| number.to_string()) {
        sent.push((producer.send(ProducerRecord::new("t", value.clone())).await.unwrap(), value));
        env.sleep(Duration::from_millis(2)).await;
    }
    for (delivery, value) in sent {
        let delivered = delivery.await.unwrap();
        let before = acknowledged.lock().insert(delivered.offset, value);
        assert!(before.is_none(), "one offset for two records: {delivered:?}");
    }
    producer.close().await;
}

/// Reads the topic from its beginning as a member of a group.
async fn consume(env: SimEnv, bootstrap: String) -> BTreeMap<i64, String> {
    let client = Client::connect(env, ClientOptions::new(&bootstrap)).await.unwrap();
    let options = ConsumerOptions {
        group: Some("readers".into()),
        reset: Some(OffsetSpec::Earliest),
        ..ConsumerOptions::default()
    };
    let mut consumer = Consumer::new(client, options);
    consumer.subscribe(["t".into()]).unwrap();
    let mut read = BTreeMap::new();
    let mut silent = 0;
    while silent < 3 {
        let records = consumer.poll(Duration::from_secs(2)).await.unwrap();
        silent = if records.is_empty() { silent + 1 } else { 0 };
        for record in records {
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            assert!(read.insert(record.offset, value).is_none(), "read twice: {}", record.offset);
        }
    }
    consumer.commit().await.unwrap();
    consumer.close().await.unwrap();
    read
}
