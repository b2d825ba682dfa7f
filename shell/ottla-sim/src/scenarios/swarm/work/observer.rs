//! Asks every node again and again what it knows of the cluster, and lets the judge's watchers compare.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_env::sim::{Random, SimEnv};
use ottla_judge::watch::{Log, OneLeader};
use ottla_protocol::Uuid;
use ottla_protocol::messages::{MetadataRequest, MetadataResponse};

use super::{Setup, pause};
use crate::wire::Connection;

/// The newest version that names topics by name.
const METADATA_NEWEST: i16 = 12;
/// Between two questions at most.
const PAUSE_MS: u64 = 1_000;
/// A node that cannot be reached is left alone.
const PATIENCE: Duration = Duration::from_millis(800);

/// What was seen so far.
#[derive(Default)]
pub(in super::super) struct Seen {
    logs: BTreeMap<(Uuid, i32), Log>,
    leaders: OneLeader,
}

/// Observes until the run stops.
pub(super) async fn run(env: SimEnv, setup: Arc<Setup>, mut random: Random) {
    while !setup.is_stopping() {
        pause(&env, &mut random, PAUSE_MS).await;
        let address = setup.nodes[random.index(setup.nodes.len())];
        let asked = env.timeout(PATIENCE, ask(&env, address)).await;
        let Ok(Some(response)) = asked else { continue };
        for text in setup.seen.lock().take_in(response) {
            setup.diary.wrong(env.now(), "observer", &text);
        }
    }
}

async fn ask<E: Env>(env: &E, address: SocketAddr) -> Option<MetadataResponse> {
    let mut connection = Connection::open(env, address).await.ok()?;
    let request = MetadataRequest { topics: None, ..MetadataRequest::default() };
    connection.call(&request, METADATA_NEWEST).await.ok()
}

impl Seen {
    fn take_in(&mut self, response: MetadataResponse) -> Vec<String> {
        let mut found = Vec::new();
        for topic in response.topics {
            for partition in topic.partitions.iter().filter(|partition| partition.leader_id >= 0) {
                let next = self.logs.len() as Log;
                let key = (topic.topic_id, partition.partition_index);
                let log = *self.logs.entry(key).or_insert(next);
                let (epoch, leader) = (partition.leader_epoch, partition.leader_id);
                found.extend(self.leaders.leads(log, epoch, leader).map(|wrong| wrong.to_string()));
            }
        }
        found
    }
}
