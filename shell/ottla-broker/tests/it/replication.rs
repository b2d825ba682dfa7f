//! Partitions with several replicas, on three nodes of a simulated world.

use std::time::Duration;

use bytes::Bytes;
use ottla_broker::Broker;
use ottla_config::{Layers, Setting};
use ottla_env::Env;
use ottla_env::sim::{Sim, SimEnv};
use ottla_protocol::messages::alter_partition_reassignments_request::{
    ReassignablePartition, ReassignableTopic,
};
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::describe_quorum_request::{self, TopicData};
use ottla_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use ottla_protocol::messages::fetch_response::PartitionData;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::metadata_response::MetadataResponsePartition;
use ottla_protocol::messages::{
    AlterPartitionReassignmentsRequest, CreateTopicsRequest, DescribeQuorumRequest, FetchRequest,
    MetadataRequest,
};
use ottla_protocol::records::{BatchOptions, batches, records};
use ottla_protocol::{ErrorCode, Str};

use crate::metadata::set;
use crate::world::{Client, batch};

pub(crate) const NODES: usize = 3;
/// Nothing in a test takes longer, in simulated time.
const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const TOPIC: &str = "t";
/// How long a follower may lag: much shorter than a broker's session.
const LAG_MAX: Duration = Duration::from_secs(2);
/// Before the controller misses a broker by itself.
const SESSION: Duration = Duration::from_secs(9);

pub(crate) fn name(at: usize) -> String {
    format!("node-{}", at + 1)
}

/// Three nodes, brokers and controllers all; the place of a node is its id less one.
pub(crate) struct Cluster<'a> {
    sim: &'a Sim,
    /// A machine beside them that asks.
    probe: SimEnv,
    envs: Vec<SimEnv>,
    brokers: Vec<Option<Broker<SimEnv>>>,
    /// The folders of each node, as log.dirs names them.
    folders: &'static str,
}

impl<'a> Cluster<'a> {
    pub(crate) async fn start(sim: &'a Sim) -> Cluster<'a> {
        Cluster::start_in(sim, "/data").await
    }

    pub(crate) async fn start_in(sim: &'a Sim, folders: &'static str) -> Cluster<'a> {
        let envs: Vec<SimEnv> = (0..NODES).map(|at| sim.node(&name(at))).collect();
        let (probe, brokers) = (sim.node("probe"), Vec::new());
        let mut cluster = Cluster { sim, probe, envs, brokers, folders };
        let (one, two, three) = tokio::join!(cluster.boot(0), cluster.boot(1), cluster.boot(2));
        cluster.brokers = vec![Some(one), Some(two), Some(three)];
        cluster
    }

    async fn boot(&self, at: usize) -> Broker<SimEnv> {
        let ip = self.envs[at].ip();
        let voters: Vec<String> = self
            .envs
            .iter()
            .enumerate()
            .map(|(at, env)| format!("{}@{}:9093", at + 1, env.ip()))
            .collect();
        let settings = [
            ("node.id", format!("{}", at + 1)),
            ("process.roles", "broker,controller".to_owned()),
            ("listeners", format!("PLAINTEXT://{ip}:9092,CONTROLLER://{ip}:9093")),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("controller.quorum.voters", voters.join(",")),
            ("log.dirs", self.folders.to_owned()),
            ("replica.lag.time.max.ms", LAG_MAX.as_millis().to_string()),
            ("ottla.cluster.id", "MkU3OEVBNTcwNTJENDM2Qg".to_owned()),
        ];
        let settings = settings.into_iter().map(|(key, value)| Setting::flag(key, value));
        let starting = Broker::start(self.envs[at].clone(), Layers::new(settings));
        let started = self.probe.timeout(PATIENCE, starting).await.expect("a node starts in time");
        started.unwrap_or_else(|error| panic!("{}: {error}", name(at)))
    }

    pub(crate) async fn client(&self, at: usize) -> Client<SimEnv> {
        Client::open(&self.probe, (self.envs[at].ip(), 9092).into()).await
    }

    /// A power cut: what was not synced is gone.
    pub(crate) fn cut_power(&mut self, at: usize) {
        self.sim.power_cut(&name(at));
        self.brokers[at] = None;
    }

    pub(crate) async fn restart(&mut self, at: usize) {
        self.envs[at] = self.sim.restart(&name(at));
        let broker = self.boot(at).await;
        self.brokers[at] = Some(broker);
    }

    fn any_up(&self) -> usize {
        self.brokers.iter().position(Option::is_some).expect("somebody is up")
    }

    pub(crate) async fn create_topic(&self, replication_factor: i16, configs: &[(&str, &str)]) {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: Str::copy_from(name),
            value: Some(Str::copy_from(value)),
            ..CreatableTopicConfig::default()
        };
        let topic = CreatableTopic {
            name: Str::from(TOPIC),
            num_partitions: 1,
            replication_factor,
            configs: configs.iter().map(config).collect(),
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 5000, ..Default::default() };
        let response = self.client(self.any_up()).await.call(7, &request).await;
        let result = &response.topics[0];
        assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    }

    /// Gives all brokers a setting.
    pub(crate) async fn configure(&self, name: &str, value: &str) {
        let request = set(4, "", name, value);
        let response = self.client(self.any_up()).await.call(1, &request).await;
        let answer = &response.responses[0];
        assert_eq!(answer.error_code, 0, "{:?}", answer.error_message);
    }

    /// Moves the partition to these nodes, and waits until they have it and nobody else does.
    pub(crate) async fn reassign(&self, places: &[usize]) {
        let ids: Vec<i32> = places.iter().map(|at| i32::try_from(at + 1).unwrap()).collect();
        let replicas = Some(ids.clone());
        let partition =
            ReassignablePartition { partition_index: 0, replicas, ..Default::default() };
        let topic = ReassignableTopic {
            name: Str::from(TOPIC),
            partitions: vec![partition],
            ..ReassignableTopic::default()
        };
        let request = AlterPartitionReassignmentsRequest {
            timeout_ms: 5000,
            topics: vec![topic],
            ..Default::default()
        };
        let response = self.client(self.any_up()).await.call(0, &request).await;
        let answer = &response.responses[0].partitions[0];
        assert_eq!((response.error_code, answer.error_code), (0, 0), "{:?}", answer.error_message);
        let mut sorted = ids.clone();
        sorted.sort_unstable();
        let same = |found: &[i32]| {
            let mut found = found.to_vec();
            found.sort_unstable();
            found == sorted
        };
        self.partition(|now| same(&now.replica_nodes) && same(&now.isr_nodes)).await;
    }

    /// The partition as a node that is up knows it, once it is as wanted.
    pub(crate) async fn partition(
        &self,
        wanted: impl Fn(&MetadataResponsePartition) -> bool,
    ) -> MetadataResponsePartition {
        let deadline = self.sim.now() + PATIENCE;
        loop {
            let topic = MetadataRequestTopic { name: Some(Str::from(TOPIC)), ..Default::default() };
            let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
            let response = self.client(self.any_up()).await.call(9, &request).await;
            let found = response.topics[0].partitions.first().cloned();
            if let Some(found) = &found
                && wanted(found)
            {
                return found.clone();
            }
            assert!(self.sim.now() < deadline, "it does not come about: {found:?}");
            self.sim.sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn leader(&self) -> usize {
        let is_up = |id: i32| usize::try_from(id - 1).is_ok_and(|at| self.brokers[at].is_some());
        let found = self.partition(|partition| is_up(partition.leader_id)).await;
        usize::try_from(found.leader_id - 1).unwrap()
    }

    /// The node that leads the metadata quorum.
    async fn controller(&self) -> usize {
        let topic = TopicData {
            topic_name: Str::from("__cluster_metadata"),
            partitions: vec![describe_quorum_request::PartitionData::default()],
            ..TopicData::default()
        };
        let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
        let answer = self.client(self.any_up()).await.call(2, &request).await;
        usize::try_from(answer.topics[0].partitions[0].leader_id - 1).unwrap()
    }

    /// Produces with acks=all until it is acknowledged.
    pub(crate) async fn produce(&self, value: &str) {
        let deadline = self.sim.now() + PATIENCE;
        loop {
            let leader = self.leader().await;
            let mut client = self.client(leader).await;
            let records = batch(BatchOptions::default(), &[value]);
            let answer = client.produce(9, TOPIC, records).await;
            if answer.error_code == 0 {
                return;
            }
            assert!(self.sim.now() < deadline, "{answer:?}");
            self.sim.sleep(Duration::from_millis(20)).await;
        }
    }

    /// What a consumer reads from a node, whether it leads or follows.
    pub(crate) async fn fetch(&self, at: usize, offset: i64) -> PartitionData {
        let partition = FetchPartition {
            partition: 0,
            fetch_offset: offset,
            partition_max_bytes: 1 << 20,
            ..FetchPartition::default()
        };
        let topic = FetchTopic {
            topic: Str::from(TOPIC),
            partitions: vec![partition],
            ..FetchTopic::default()
        };
        let request = FetchRequest {
            max_wait_ms: 0,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![topic],
            ..FetchRequest::default()
        };
        let response = self.client(at).await.call(11, &request).await;
        response.responses[0].partitions[0].clone()
    }

    /// All values on a node, once it has committed so many.
    pub(crate) async fn values(&self, at: usize, count: usize) -> Vec<String> {
        let deadline = self.sim.now() + PATIENCE;
        loop {
            let answer = self.fetch(at, 0).await;
            let found = values(answer.records.unwrap_or_default());
            if answer.error_code == 0 && found.len() >= count {
                return found;
            }
            assert!(self.sim.now() < deadline, "{}: {found:?}", name(at));
            self.sim.sleep(Duration::from_millis(50)).await;
        }
    }
}

pub(crate) fn values(bytes: Bytes) -> Vec<String> {
    let mut found = Vec::new();
    for one in batches(&bytes) {
        let (header, bytes) = one.unwrap();
        for record in records(&header, &bytes, 1 << 20).unwrap() {
            found.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
        }
    }
    found
}

/// Goal: an acks=all record is on every replica, and consumers may read it from any of them.
#[test]
fn every_replica_has_what_was_acknowledged() {
    let sim = Sim::new(11);
    sim.block_on(async {
        let cluster = Cluster::start(&sim).await;
        cluster.create_topic(3, &[]).await;
        let expected: Vec<String> = (0..20).map(|at| format!("value-{at}")).collect();
        for value in &expected {
            cluster.produce(value).await;
        }
        for at in 0..NODES {
            assert_eq!(cluster.values(at, 20).await, expected, "{}", name(at));
        }
        let found = cluster.partition(|_| true).await;
        assert_eq!(found.isr_nodes.len(), NODES);
    });
}

/// Goal: nothing acknowledged is lost with a leader, and whoever comes back catches up and is in sync
/// again. Method: the power of one leader after the other is cut.
#[test]
fn acknowledged_records_outlive_their_leaders() {
    for seed in 1..4 {
        let sim = Sim::new(seed);
        sim.block_on(async {
            let mut cluster = Cluster::start(&sim).await;
            cluster.create_topic(3, &[("min.insync.replicas", "2")]).await;
            let mut acknowledged = Vec::new();
            for round in 0..3 {
                for at in 0..5 {
                    let value = format!("{round}-{at}");
                    cluster.produce(&value).await;
                    acknowledged.push(value);
                }
                let leader = cluster.leader().await;
                cluster.cut_power(leader);
                let value = format!("{round}-after");
                cluster.produce(&value).await;
                acknowledged.push(value);
                cluster.restart(leader).await;
                cluster.partition(|partition| partition.isr_nodes.len() == NODES).await;
            }
            let leader = cluster.leader().await;
            let found = cluster.values(leader, acknowledged.len()).await;
            // A retried record may be there twice.
            let mut distinct = found.clone();
            distinct.dedup();
            assert_eq!(distinct, acknowledged);
            for at in 0..NODES {
                assert_eq!(cluster.values(at, found.len()).await, found, "{}", name(at));
            }
        });
    }
}

/// Goal: with too few replicas in sync nothing is taken in with acks=all; one more, and it is.
#[test]
fn too_few_in_sync_take_nothing() {
    let sim = Sim::new(5);
    sim.block_on(async {
        let mut cluster = Cluster::start(&sim).await;
        cluster.create_topic(3, &[("min.insync.replicas", "3")]).await;
        cluster.produce("all").await;
        let leader = cluster.leader().await;
        let other = (leader + 1) % NODES;
        cluster.cut_power(other);
        cluster.partition(|partition| partition.isr_nodes.len() == NODES - 1).await;
        let mut client = cluster.client(leader).await;
        let answer = client.produce(9, TOPIC, batch(BatchOptions::default(), &["refused"])).await;
        assert_eq!(answer.error_code, ErrorCode::NotEnoughReplicas.code());
        cluster.restart(other).await;
        cluster.produce("again").await;
        assert_eq!(cluster.values(leader, 2).await, ["all", "again"]);
    });
}

/// Goal: what an idempotent producer sent behind a batch that was refused is refused as that was, though it
/// could be taken by now: out of order, it would be given up, or taken instead.
#[test]
fn what_was_sent_behind_a_refused_batch_waits_for_it() {
    let sim = Sim::new(6);
    sim.block_on(async {
        let mut cluster = Cluster::start(&sim).await;
        cluster.create_topic(3, &[("min.insync.replicas", "3")]).await;
        let leader = cluster.leader().await;
        let other = (leader + 1) % NODES;
        cluster.cut_power(other);
        cluster.partition(|partition| partition.isr_nodes.len() == NODES - 1).await;
        let mut client = cluster.client(leader).await;
        let numbered = |base_sequence: i32| {
            let producer =
                BatchOptions { producer_id: 7, producer_epoch: 0, ..BatchOptions::default() };
            batch(BatchOptions { base_sequence, ..producer }, &[&format!("{base_sequence}")])
        };
        let mut send = async |sequence| {
            let answer = client.produce(9, TOPIC, numbered(sequence)).await;
            ErrorCode::from_code_or_unknown(answer.error_code)
        };
        assert_eq!(send(0).await, ErrorCode::NotEnoughReplicas);
        cluster.restart(other).await;
        cluster.partition(|partition| partition.isr_nodes.len() == NODES).await;
        assert_eq!(send(1).await, ErrorCode::NotEnoughReplicas, "the first is still to come");
        assert_eq!(send(0).await, ErrorCode::None);
        assert_eq!(send(1).await, ErrorCode::None);
        // A gap of the producer's own is one.
        assert_eq!(send(3).await, ErrorCode::OutOfOrderSequenceNumber);
        assert_eq!(cluster.values(leader, 2).await, ["0", "1"]);
    });
}

/// Goal: followers come and go while a partition is in use: one replica becomes three, and another one
/// is left alone with it; nothing acknowledged is lost on the way, and who has no replica any more says
/// so.
#[test]
fn replicas_come_and_go() {
    let sim = Sim::new(9);
    sim.block_on(async {
        let cluster = Cluster::start(&sim).await;
        cluster.create_topic(1, &[]).await;
        let mut expected = Vec::new();
        let first = cluster.leader().await;
        let last = (first + 2) % NODES;
        for (round, places) in
            [vec![first], vec![0, 1, 2], vec![last], vec![0, 1, 2]].into_iter().enumerate()
        {
            if round > 0 {
                cluster.reassign(&places).await;
            }
            for at in 0..4 {
                let value = format!("{round}-{at}");
                cluster.produce(&value).await;
                expected.push(value);
            }
            for at in 0..NODES {
                if places.contains(&at) {
                    assert_eq!(cluster.values(at, expected.len()).await, expected, "{}", name(at));
                } else {
                    let answer = cluster.fetch(at, 0).await;
                    assert_eq!(answer.error_code, ErrorCode::NotLeaderOrFollower.code());
                }
            }
        }
    });
}

/// Goal: a follower that lives and cannot be reached leaves the ISR by its leader's word, long before
/// its broker would be fenced, and comes back in once it can. Method: the way between the two is cut.
#[test]
fn who_lags_is_out_of_sync_until_it_has_caught_up() {
    let sim = Sim::new(17);
    sim.block_on(async {
        let cluster = Cluster::start(&sim).await;
        cluster.create_topic(3, &[]).await;
        cluster.produce("before").await;
        let leader = cluster.leader().await;
        // Cut off from the controller the leader would lose its session.
        let controller = cluster.controller().await;
        let other = (0..NODES).find(|at| *at != leader && *at != controller).unwrap();
        let id = i32::try_from(other + 1).unwrap();
        sim.cut(&name(leader), &name(other));
        let began = sim.now();
        // It waits for the follower, and goes on without it.
        cluster.produce("meanwhile").await;
        let found = cluster.partition(|now| !now.isr_nodes.contains(&id)).await;
        assert_eq!(found.isr_nodes.len(), NODES - 1);
        assert!(sim.now() < began + SESSION, "its leader was not waited for");
        sim.heal(&name(leader), &name(other));
        cluster.partition(|now| now.isr_nodes.len() == NODES).await;
        cluster.produce("after").await;
        for at in 0..NODES {
            let found = cluster.values(at, 3).await;
            assert_eq!(found, ["before", "meanwhile", "after"], "{}", name(at));
        }
    });
}

/// Goal: however many fetchers there are, and whenever that changes, every record reaches every replica.
#[test]
fn fetchers_come_and_go() {
    let sim = Sim::new(29);
    sim.block_on(async {
        let cluster = Cluster::start(&sim).await;
        cluster.create_topic(3, &[]).await;
        let mut expected = Vec::new();
        for (round, fetchers) in ["3", "1", "2", "7"].into_iter().enumerate() {
            cluster.configure("num.replica.fetchers", fetchers).await;
            for at in 0..4 {
                let value = format!("{round}-{at}");
                cluster.produce(&value).await;
                expected.push(value);
            }
        }
        for at in 0..NODES {
            assert_eq!(cluster.values(at, expected.len()).await, expected, "{}", name(at));
        }
    });
}

/// Goal: a replica that is copied takes no more of the leader, or of its own node, than the throttle lets
/// pass, and replicas in sync are not held back (KIP-73). Method: 4 MB are copied to one node, at 500 kB
/// a second; without a throttle that takes no time at all here.
#[test]
fn a_throttle_slows_what_lags_and_nothing_else() {
    for side in ["", "leader.", "follower."] {
        let sim = Sim::new(23);
        sim.block_on(async {
            let cluster = Cluster::start(&sim).await;
            let topic = format!("{side}replication.throttled.replicas");
            let configs: &[(&str, &str)] = if side.is_empty() { &[] } else { &[(&topic, "*")] };
            cluster.create_topic(1, configs).await;
            for side in ["leader", "follower"] {
                let rate = format!("{side}.replication.throttled.rate");
                cluster.configure(&rate, "500000").await;
            }
            let value = "x".repeat(500_000);
            for _ in 0..8 {
                cluster.produce(&value).await;
            }
            let leader = cluster.leader().await;
            let began = sim.now();
            cluster
                .reassign(&[leader.min((leader + 1) % NODES), leader.max((leader + 1) % NODES)])
                .await;
            let took = sim.now() - began;
            // A second's worth may pass at once, and one answer more than there is room for.
            let (least, most) = match side {
                "" => (Duration::ZERO, Duration::from_secs(2)),
                _ => (Duration::from_secs(4), Duration::from_secs(12)),
            };
            assert!((least..most).contains(&took), "{side} {took:?}");
            let began = sim.now();
            for _ in 0..4 {
                cluster.produce(&value).await;
            }
            assert!(sim.now() - began < Duration::from_secs(2), "in sync, it is not held back");
        });
    }
}
