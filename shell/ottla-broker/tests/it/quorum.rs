//! Three controllers and nothing else: they elect a leader over real frames, and keep what it writes.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use ottla_broker::Broker;
use ottla_config::{Layers, Setting};
use ottla_env::sim::{Sim, SimEnv};
use ottla_env::{Disk, Env};
use ottla_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use ottla_protocol::messages::describe_quorum_response;
use ottla_protocol::messages::{
    ApiVersionsRequest, BeginQuorumEpochRequest, DescribeQuorumRequest, FetchRequest,
    FetchSnapshotRequest, VoteRequest, begin_quorum_epoch_request, fetch_request,
    fetch_snapshot_request, vote_request,
};
use ottla_protocol::records::batches;
use ottla_protocol::{ApiKey, ErrorCode, Request, Str, Uuid};
use tokio::sync::oneshot;

use crate::world::Client;

const PORT: u16 = 9093;
const CLUSTER: &str = "4L6g3nShT-eMCtK--X86sw";
const TOPIC: &str = "__cluster_metadata";
/// Longer than any election among nodes that hear each other.
const ELECTION: Duration = Duration::from_secs(20);

/// A world of controllers, and a machine beside them that asks.
struct Quorum {
    sim: Sim,
    probe: SimEnv,
    nodes: Vec<i32>,
}

type Described = describe_quorum_response::PartitionData;

impl Quorum {
    fn new(seed: u64, nodes: i32) -> Self {
        let sim = Sim::new(seed);
        for id in 1..=nodes {
            let _made = sim.node(&name(id));
        }
        let probe = sim.node("probe");
        Self { sim, probe, nodes: (1..=nodes).collect() }
    }

    fn layers(&self, id: i32) -> Layers {
        let voter = |id: &i32| format!("{id}@{}:{PORT}", self.sim.node(&name(*id)).ip());
        let voters: Vec<String> = self.nodes.iter().map(voter).collect();
        let settings = [
            ("process.roles", "controller".to_owned()),
            ("node.id", id.to_string()),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("listeners", format!("CONTROLLER://{}:{PORT}", self.sim.node(&name(id)).ip())),
            ("controller.quorum.voters", voters.join(",")),
            ("ottla.cluster.id", CLUSTER.to_owned()),
            ("log.dirs", "/data".to_owned()),
        ];
        Layers::new(settings.map(|(key, value)| Setting::flag(key, value)))
    }

    /// Starts a node; it runs until its machine goes down, or `stop` is sent.
    async fn start(&self, id: i32) -> oneshot::Sender<()> {
        let name = name(id);
        let env =
            if self.sim.is_up(&name) { self.sim.node(&name) } else { self.sim.restart(&name) };
        let layers = self.layers(id);
        let (stop, stopped) = oneshot::channel::<()>();
        let (tell, started) = oneshot::channel();
        let run = {
            let env = env.clone();
            async move {
                let broker = Broker::start(env, layers).await.map_err(|error| error.to_string());
                let (broker, outcome) = match broker {
                    Ok(broker) => (Some(broker), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                let _ = tell.send(outcome);
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
                if let Some(broker) = broker {
                    broker.shutdown().await;
                }
            }
        };
        drop(env.spawn("controller", run));
        started.await.expect("the machine is up").unwrap_or_else(|error| panic!("{id}: {error}"));
        stop
    }

    async fn start_all(&self) -> Vec<oneshot::Sender<()>> {
        let mut stops = Vec::new();
        for id in &self.nodes {
            stops.push(self.start(*id).await);
        }
        stops
    }

    async fn connect(&self, id: i32) -> Option<Client<SimEnv>> {
        let address = (self.sim.node(&name(id)).ip(), PORT).into();
        Client::try_open(&self.probe, address).await.ok()
    }

    async fn describe(&self, id: i32) -> Option<Described> {
        if !self.sim.is_up(&name(id)) {
            return None;
        }
        let mut client = self.connect(id).await?;
        let partition = PartitionData { partition_index: 0, ..PartitionData::default() };
        let topic = TopicData {
            topic_name: Str::from_static(TOPIC),
            partitions: vec![partition],
            ..TopicData::default()
        };
        let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
        let response = client.try_call(2, &request).await?;
        (response.error_code == 0).then(|| response.topics[0].partitions[0].clone())
    }

    /// Asks everybody until the quorum is as `is_right` wants it.
    async fn until(&self, what: &str, is_right: impl Fn(&Described) -> bool) -> Described {
        let since = self.sim.now();
        loop {
            for id in &self.nodes {
                if let Some(described) = self.describe(*id).await.filter(|found| is_right(found)) {
                    return described;
                }
            }
            assert!(self.sim.now().since(since) < ELECTION, "not within {ELECTION:?}: {what}");
            self.sim.sleep(Duration::from_millis(20)).await;
        }
    }

    /// A leader whose log everybody has, and who knows that.
    async fn settled(&self, after_epoch: i32, voters: usize) -> Described {
        self.until("all voters have what the leader has", |quorum| {
            let end = quorum.high_watermark;
            let current = quorum.current_voters.iter().filter(|voter| voter.log_end_offset == end);
            quorum.leader_epoch > after_epoch && end > 0 && current.count() == voters
        })
        .await
    }
}

fn name(id: i32) -> String {
    format!("controller-{id}")
}

/// Goal: three fresh nodes agree on a leader, and what it writes is committed on all of them.
#[test]
fn three_controllers_elect_a_leader_and_copy_its_log() {
    for seed in 0..4 {
        let quorum = Quorum::new(seed, 3);
        quorum.sim.block_on(async {
            let _stops = quorum.start_all().await;
            let settled = quorum.settled(0, 3).await;
            assert!(quorum.nodes.contains(&settled.leader_id));
            assert_eq!(settled.current_voters.len(), 3);
            assert!(settled.observers.is_empty());
        });
    }
}

/// Goal: a leader that dies is succeeded in a later epoch, and comes back as a follower.
#[test]
fn a_leader_that_dies_is_succeeded_and_follows_when_it_comes_back() {
    for seed in 10..14 {
        let quorum = Quorum::new(seed, 3);
        quorum.sim.block_on(async {
            let _stops = quorum.start_all().await;
            let first = quorum.settled(0, 3).await;
            quorum.sim.power_cut(&name(first.leader_id));
            let second = quorum.settled(first.leader_epoch, 2).await;
            assert_ne!(second.leader_id, first.leader_id);
            let _stop = quorum.start(first.leader_id).await;
            let third = quorum.settled(first.leader_epoch, 3).await;
            assert_eq!(third.leader_id, second.leader_id, "who comes back disturbs nobody");
        });
    }
}

/// Goal: votes and epochs survive a power cut of all nodes at once (lesson: elections rest on what is on the disk).
#[test]
fn a_power_cut_of_all_costs_an_epoch_and_no_record() {
    for seed in 20..23 {
        let quorum = Quorum::new(seed, 3);
        quorum.sim.block_on(async {
            let _stops = quorum.start_all().await;
            let mut before = quorum.settled(0, 3).await;
            // The log has its folder made, and what it keeps there is not all that is in it.
            quorum.sim.sleep(Duration::from_secs(15)).await;
            for id in &quorum.nodes {
                let votes = Path::new("/data/__cluster_metadata-0/quorum-state");
                assert!(quorum.sim.disk(&name(*id)).exists(votes), "node {id} forgot its votes");
            }
            for _ in 0..3 {
                quorum.nodes.iter().for_each(|id| quorum.sim.power_cut(&name(*id)));
                let _stops = quorum.start_all().await;
                let after = quorum.settled(before.leader_epoch, 3).await;
                assert!(after.high_watermark > before.high_watermark, "each leader adds a record");
                before = after;
            }
        });
    }
}

/// Goal: a leader that stops in good order says so, and no time-out is waited for.
#[test]
fn a_leader_that_stops_hands_over_at_once() {
    let quorum = Quorum::new(30, 3);
    quorum.sim.block_on(async {
        let mut stops = quorum.start_all().await;
        let first = quorum.settled(0, 3).await;
        let at = usize::try_from(first.leader_id - 1).unwrap();
        let since = quorum.sim.now();
        stops.remove(at).send(()).unwrap();
        let _next =
            quorum.until("a successor", |quorum| quorum.leader_epoch > first.leader_epoch).await;
        let took = quorum.sim.now().since(since);
        assert!(took < Duration::from_millis(900), "{took:?}, an election timeout is 1 s or more");
    });
}

/// Goal: a follower that was cut off and had written nothing of its own gets what it missed.
#[test]
fn a_follower_that_was_cut_off_catches_up() {
    let quorum = Quorum::new(40, 3);
    quorum.sim.block_on(async {
        let _stops = quorum.start_all().await;
        let first = quorum.settled(0, 3).await;
        let away = quorum.nodes.iter().copied().find(|id| *id != first.leader_id).unwrap();
        let others: Vec<i32> = quorum.nodes.iter().copied().filter(|id| *id != away).collect();
        others.iter().for_each(|other| quorum.sim.cut(&name(away), &name(*other)));
        quorum.sim.sleep(Duration::from_secs(10)).await;
        quorum.sim.power_cut(&name(first.leader_id));
        let _stop = quorum.start(first.leader_id).await;
        let _two = quorum.settled(first.leader_epoch, 2).await;
        others.iter().for_each(|other| quorum.sim.heal(&name(away), &name(*other)));
        let healed = quorum.settled(first.leader_epoch, 3).await;
        assert_ne!(healed.leader_id, away, "it lacked records");
    });
}

fn fetch(cluster: &str, epoch: i32, offset: i64, last_epoch: i32) -> FetchRequest {
    let partition = fetch_request::FetchPartition {
        partition: 0,
        current_leader_epoch: epoch,
        fetch_offset: offset,
        last_fetched_epoch: last_epoch,
        ..Default::default()
    };
    let topic = fetch_request::FetchTopic {
        topic_id: Uuid::ONE,
        partitions: vec![partition],
        ..Default::default()
    };
    FetchRequest {
        cluster_id: Some(Str::copy_from(cluster)),
        max_bytes: 1 << 20,
        topics: vec![topic],
        ..Default::default()
    }
}

/// Goal: each reason why a fetch of the metadata log gives nothing has Kafka's code, and names the leader.
#[test]
fn fetches_of_the_metadata_log_are_answered_as_kafka_does() {
    let quorum = Quorum::new(50, 3);
    quorum.sim.block_on(async {
        let _stops = quorum.start_all().await;
        let settled = quorum.settled(0, 3).await;
        let (leader, epoch) = (settled.leader_id, settled.leader_epoch);
        let follower = quorum.nodes.iter().copied().find(|id| *id != leader).unwrap();
        let mut to_leader = quorum.connect(leader).await.unwrap();
        let mut to_follower = quorum.connect(follower).await.unwrap();

        let read = to_leader.call(17, &fetch(CLUSTER, epoch, 0, 0)).await;
        let found = &read.responses[0].partitions[0];
        assert_eq!((read.error_code, found.error_code), (0, 0));
        assert_eq!(found.high_watermark, settled.high_watermark);
        let records: Bytes = found.records.clone().unwrap();
        let (header, _) = batches(&records).next().unwrap().unwrap();
        assert!(header.is_control(), "the first record of a log is a LeaderChange");

        let refused = to_leader.call(17, &fetch("another", epoch, 0, 0)).await;
        assert_eq!(refused.error_code, ErrorCode::InconsistentClusterId.code());
        let cases =
            [(epoch - 1, ErrorCode::FencedLeaderEpoch), (epoch + 1, ErrorCode::UnknownLeaderEpoch)];
        for (asked, error) in cases {
            let refused = to_leader.call(17, &fetch(CLUSTER, asked, 0, 0)).await;
            let found = &refused.responses[0].partitions[0];
            assert_eq!(found.error_code, error.code());
            assert_eq!(found.current_leader.leader_epoch, epoch);
            assert_eq!(refused.node_endpoints[0].port, i32::from(PORT));
        }
        let refused = to_follower.call(17, &fetch(CLUSTER, epoch, 0, 0)).await;
        let found = &refused.responses[0].partitions[0];
        assert_eq!(found.error_code, ErrorCode::NotLeaderOrFollower.code());
        assert_eq!(found.current_leader.leader_id, leader);

        // A log that goes on where this one never was.
        let parted = to_leader.call(17, &fetch(CLUSTER, epoch, 1000, epoch)).await;
        let found = &parted.responses[0].partitions[0];
        assert_eq!(found.error_code, 0);
        assert_eq!(found.diverging_epoch.epoch, epoch);
        assert_eq!(found.diverging_epoch.end_offset, settled.high_watermark);
        let senseless = to_leader.call(17, &fetch(CLUSTER, epoch, -1, 0)).await;
        let code = senseless.responses[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::InvalidRequest.code());
        let mut other = fetch(CLUSTER, epoch, 0, 0);
        other.topics[0].topic_id = Uuid::from_u128(7);
        let refused = to_leader.call(17, &other).await;
        assert_eq!(refused.error_code, ErrorCode::InvalidRequest.code());
    });
}

/// Goal: what other controllers must not say is refused with Kafka's codes, and changes nothing.
#[test]
fn requests_between_controllers_are_refused_as_kafka_does() {
    let quorum = Quorum::new(60, 3);
    quorum.sim.block_on(async {
        let _stops = quorum.start_all().await;
        let first = quorum.settled(0, 3).await;
        quorum.sim.power_cut(&name(first.leader_id));
        let _stop = quorum.start(first.leader_id).await;
        let settled = quorum.settled(first.leader_epoch, 3).await;
        let (leader, epoch) = (settled.leader_id, settled.leader_epoch);
        let mut client = quorum.connect(leader).await.unwrap();
        let vote = |cluster: &str, epoch: i32, topic: &'static str| VoteRequest {
            cluster_id: Some(Str::copy_from(cluster)),
            topics: vec![vote_request::TopicData {
                topic_name: Str::from_static(topic),
                partitions: vec![vote_request::PartitionData {
                    replica_epoch: epoch,
                    replica_id: 77,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer = client.call(1, &vote("another", epoch, TOPIC)).await;
        assert_eq!(answer.error_code, ErrorCode::InconsistentClusterId.code());
        let answer = client.call(1, &vote(CLUSTER, epoch, "other")).await;
        assert_eq!(answer.error_code, ErrorCode::InvalidRequest.code());
        let answer = client.call(1, &vote(CLUSTER, epoch - 1, TOPIC)).await;
        let found = &answer.topics[0].partitions[0];
        assert_eq!(found.error_code, ErrorCode::FencedLeaderEpoch.code());
        assert_eq!((found.leader_id, found.leader_epoch), (leader, epoch));
        let oldest = client.call(0, &vote(CLUSTER, epoch - 1, TOPIC)).await;
        assert!(!oldest.topics[0].partitions[0].vote_granted);

        let begin = BeginQuorumEpochRequest {
            cluster_id: Some(Str::from_static(CLUSTER)),
            topics: vec![begin_quorum_epoch_request::TopicData {
                topic_name: Str::from_static(TOPIC),
                partitions: vec![begin_quorum_epoch_request::PartitionData {
                    leader_id: leader % 3 + 1,
                    leader_epoch: epoch,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer = client.call(1, &begin).await;
        let code = answer.topics[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::InvalidRequest.code(), "an epoch has one leader");

        let piece = FetchSnapshotRequest {
            max_bytes: 1000,
            topics: vec![fetch_snapshot_request::TopicSnapshot {
                name: Str::from_static(TOPIC),
                partitions: vec![fetch_snapshot_request::PartitionSnapshot {
                    current_leader_epoch: epoch,
                    ..Default::default()
                }],
                ..Default::default()
            }],
            ..Default::default()
        };
        let answer = client.call(1, &piece).await;
        let code = answer.topics[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::SnapshotNotFound.code());
        let still = quorum.settled(0, 3).await;
        assert_eq!((still.leader_id, still.leader_epoch), (leader, epoch));
    });
}

/// Goal: a controller's listener tells of the quorum's own APIs, and not of those that brokers serve.
#[test]
fn a_controller_listener_has_a_list_of_its_own() {
    let quorum = Quorum::new(70, 1);
    quorum.sim.block_on(async {
        let _stops = quorum.start_all().await;
        let mut client = quorum.connect(1).await.unwrap();
        let answer = client.call(0, &ApiVersionsRequest::default()).await;
        let has = |key: ApiKey| answer.api_keys.iter().any(|api| api.api_key == key.code());
        for key in [ApiKey::Vote, ApiKey::Fetch, ApiKey::FetchSnapshot, ApiKey::DescribeQuorum] {
            assert!(has(key), "{}", key.name());
        }
        assert!(!has(ApiKey::Produce) && !has(ApiKey::JoinGroup));
        assert_eq!(VoteRequest::KEY, ApiKey::Vote);
    });
}
