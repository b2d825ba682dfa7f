//! Snapshots of the metadata, and voters that come and go (KIP-630, KIP-853).

use std::cell::Cell;
use std::path::Path;

use ottla_env::Disk;
use ottla_protocol::Uuid;
use ottla_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use ottla_protocol::messages::describe_quorum_response;
use ottla_protocol::messages::update_features_request::FeatureUpdateKey;
use ottla_protocol::messages::{
    AddRaftVoterRequest, ApiVersionsRequest, DescribeQuorumRequest, RemoveRaftVoterRequest,
    UpdateFeaturesRequest, add_raft_voter_request,
};

use super::*;

/// A snapshot after every few topics.
const OFTEN: (&str, &str) = ("metadata.log.max.record.bytes.between.snapshots", "3000");
const LOG: &str = "/data/__cluster_metadata-0";

type Quorum = describe_quorum_response::PartitionData;

async fn quorum(client: &mut Client<SimEnv>) -> Option<Quorum> {
    let topic = TopicData {
        topic_name: Str::from_static("__cluster_metadata"),
        partitions: vec![PartitionData::default()],
        ..TopicData::default()
    };
    let request = DescribeQuorumRequest { topics: vec![topic], ..Default::default() };
    let answer = client.call(2, &request).await;
    (answer.error_code == 0).then(|| answer.topics[0].partitions[0].clone())
}

fn ids(quorum: &Quorum) -> Vec<i32> {
    let mut ids: Vec<i32> = quorum.current_voters.iter().map(|voter| voter.replica_id).collect();
    ids.sort_unstable();
    ids
}

impl Cluster {
    /// The first node, which others can join, with settings that make joining easy.
    fn founder(seed: u64, roles: &[&'static str]) -> Cluster {
        Cluster { is_founded: true, ..Cluster::new(seed, roles) }
    }

    /// Waits until a node tells that these vote, and that they have what the leader has.
    async fn until_voters(&self, node: &Node<SimEnv>, wanted: &[i32]) -> Quorum {
        let deadline = self.client.now() + FORMING_MAX;
        loop {
            let mut client = self.connect(node).await;
            let found = quorum(&mut client).await;
            let is_right = |quorum: &Quorum| {
                let end = quorum.high_watermark;
                ids(quorum) == wanted
                    && quorum.current_voters.iter().all(|voter| voter.log_end_offset >= end)
            };
            if let Some(found) = found.clone().filter(is_right) {
                return found;
            }
            assert!(self.client.now() < deadline, "{found:?}, not {wanted:?}");
            self.client.sleep(Duration::from_millis(100)).await;
        }
    }

    async fn formed(
        &self,
        started: oneshot::Receiver<Result<Node<SimEnv>, StartError>>,
    ) -> Node<SimEnv> {
        let started = self.client.timeout(FORMING_MAX, started).await;
        let node = started.expect("the cluster forms in time").expect("the machine is up");
        node.unwrap_or_else(|error| panic!("{error}"))
    }

    fn snapshots(&self, at: usize) -> Vec<String> {
        let entries = self.seats[at].env().disk().read_dir(Path::new(LOG)).unwrap();
        let names = entries.into_iter().map(|entry| entry.name);
        names.filter(|name| name.ends_with(".checkpoint")).collect()
    }
}

/// Goal: a node that was away for longer than the metadata log reaches back is given a snapshot, and knows all that
/// was acknowledged; so does a leader that starts from one.
#[test]
fn a_node_that_was_away_for_long_is_given_a_snapshot() {
    Cluster::combined(31).run(async |cluster| {
        let starting: Vec<_> = (0..3).map(|at| cluster.begin(at, &[OFTEN])).collect();
        let mut nodes = Vec::new();
        for started in starting {
            nodes.push(cluster.formed(started).await);
        }
        let active = cluster.active_controller(0).await;
        let away = (active + 1) % 3;
        cluster.kill(away);
        let names: Vec<String> = (0..60).map(|number| format!("topic-{number}")).collect();
        let mut client = cluster.connect(&nodes[active]).await;
        for name in &names {
            let answer = create(&mut client, name, 2, 1).await;
            assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
        }
        assert!(cluster.snapshots(active).len() > 1, "{:?}", cluster.snapshots(active));
        cluster.revive(away);
        let back =
            cluster.try_start(away, &[OFTEN]).await.unwrap_or_else(|error| panic!("{error}"));
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut client = cluster.connect(&back).await;
        let answer = metadata(&mut client, &all).await;
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
        let log_start = cluster.snapshots(away);
        assert!(!log_start.is_empty(), "it keeps what it was given");
        // And starts from it.
        cluster.kill(away);
        cluster.revive(away);
        let again = cluster.try_start(away, &[OFTEN]).await;
        let again = again.unwrap_or_else(|error| panic!("{error}"));
        let mut client = cluster.connect(&again).await;
        let answer = metadata(&mut client, &all).await;
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
        // Now everybody does.
        (0..3).for_each(|at| cluster.kill(at));
        (0..3).for_each(|at| cluster.revive(at));
        let starting: Vec<_> = (0..3).map(|at| cluster.begin(at, &[OFTEN])).collect();
        let mut nodes = Vec::new();
        for started in starting {
            nodes.push(cluster.formed(started).await);
        }
        for node in &nodes {
            let mut client = cluster.connect(node).await;
            let answer = metadata(&mut client, &all).await;
            assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
        }
    });
}

/// Goal: a node alone becomes a quorum of three as others join by themselves, and is then no longer needed.
#[test]
fn controllers_join_by_themselves() {
    Cluster::founder(32, &["broker,controller"; 3]).run(async |cluster| {
        let mut nodes = vec![cluster.start_one(0).await];
        let first = cluster.until_voters(&nodes[0], &[1]).await;
        assert_ne!(first.current_voters[0].replica_directory_id, Uuid::ZERO, "kraft.version 1");
        let mut client = cluster.connect(&nodes[0]).await;
        assert_eq!(create(&mut client, "before", 1, 1).await.topics[0].error_code, 0);
        nodes.push(cluster.start_one(1).await);
        cluster.until_voters(&nodes[0], &[1, 2]).await;
        nodes.push(cluster.start_one(2).await);
        cluster.until_voters(&nodes[1], &[1, 2, 3]).await;
        cluster.kill(0);
        let mut client = cluster.connect(&nodes[1]).await;
        let answer = create(&mut client, "after", 1, 1).await;
        assert_eq!(answer.topics[0].error_code, 0, "{answer:?}");
        cluster.revive(0);
        let back = cluster.start_one(0).await;
        let mut client = cluster.connect(&back).await;
        let answer = metadata(&mut client, &["before", "after"]).await;
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
        cluster.until_voters(&back, &[1, 2, 3]).await;
    });
}

/// Goal: a controller that lost its disk is another replica. The one it was goes, the new one joins (lesson: the same id
/// with an empty disk must not count for what it had promised).
#[test]
fn a_controller_that_lost_its_disk_joins_anew() {
    Cluster::founder(33, &["broker,controller"; 3]).run(async |cluster| {
        let mut nodes = Vec::new();
        for at in 0..3 {
            nodes.push(cluster.start_one(at).await);
        }
        let before = cluster.until_voters(&nodes[0], &[1, 2, 3]).await;
        let lost = (usize::try_from(before.leader_id).unwrap()) % 3;
        cluster.kill(lost);
        cluster.revive(lost);
        let disk = cluster.seats[lost].env().disk().clone();
        disk.remove_dir_all(Path::new("/data")).unwrap();
        let _back = cluster.start_one(lost).await;
        let other = &nodes[(lost + 1) % 3];
        let deadline = cluster.client.now() + FORMING_MAX;
        let directory = |quorum: &Quorum| {
            let voters = quorum.current_voters.iter();
            let mut mine = voters.filter(|voter| voter.replica_id == cluster.seats[lost].id);
            mine.next().map(|voter| voter.replica_directory_id)
        };
        loop {
            let now = cluster.until_voters(other, &[1, 2, 3]).await;
            if directory(&now) != directory(&before) {
                break;
            }
            assert!(cluster.client.now() < deadline, "{now:?}");
            cluster.client.sleep(Duration::from_millis(100)).await;
        }
    });
}

/// Goal: voters are added and removed by request, through any node, and what cannot be is refused with Kafka's codes.
#[test]
fn voters_are_added_and_removed_by_request() {
    Cluster::founder(34, &["broker,controller"; 2]).run(async |cluster| {
        let alone = ("controller.quorum.auto.join.enable", "false");
        let mut nodes = Vec::new();
        for at in 0..2 {
            let node = cluster.try_start(at, &[alone]).await;
            nodes.push(node.unwrap_or_else(|error| panic!("{error}")));
        }
        let described = cluster.until_voters(&nodes[0], &[1]).await;
        let observer = described.observers.iter().find(|observer| observer.replica_id == 2);
        let directory = observer.expect("it observes").replica_directory_id;
        let address = cluster.controller_address(1);
        let listener = add_raft_voter_request::Listener {
            name: Str::from_static("CONTROLLER"),
            host: Str::copy_from(&address.ip().to_string()),
            port: address.port(),
            ..Default::default()
        };
        let add = AddRaftVoterRequest {
            cluster_id: Some(Str::from_static(CLUSTER_ID)),
            timeout_ms: 10_000,
            voter_id: 2,
            voter_directory_id: directory,
            listeners: vec![listener],
            ack_when_committed: true,
            ..Default::default()
        };
        let mut client = cluster.connect(&nodes[1]).await;
        let foreign = AddRaftVoterRequest { cluster_id: Some("other".into()), ..add.clone() };
        let answer = client.call(1, &foreign).await;
        assert_eq!(answer.error_code, ErrorCode::InconsistentClusterId.code());
        let unreachable = AddRaftVoterRequest { listeners: Vec::new(), ..add.clone() };
        let answer = client.call(1, &unreachable).await;
        assert_eq!(answer.error_code, ErrorCode::InvalidRequest.code());
        assert_eq!(client.call(1, &add).await.error_code, 0);
        cluster.until_voters(&nodes[0], &[1, 2]).await;
        let answer = client.call(1, &add).await;
        assert_eq!(answer.error_code, ErrorCode::DuplicateVoter.code());
        let mut remove = RemoveRaftVoterRequest {
            cluster_id: Some(Str::from_static(CLUSTER_ID)),
            voter_id: 2,
            voter_directory_id: Uuid::from_u128(5),
            ..Default::default()
        };
        let answer = client.call(0, &remove).await;
        assert_eq!(answer.error_code, ErrorCode::VoterNotFound.code());
        remove.voter_directory_id = directory;
        assert_eq!(client.call(0, &remove).await.error_code, 0);
        cluster.until_voters(&nodes[1], &[1]).await;
    });
}

async fn levels(client: &mut Client<SimEnv>) -> Vec<(String, i16)> {
    let request = ApiVersionsRequest {
        client_software_name: Str::from("it"),
        client_software_version: Str::from("1"),
        ..ApiVersionsRequest::default()
    };
    let response = client.call(3, &request).await;
    let features = response.finalized_features.iter();
    features.map(|feature| (feature.name.to_string(), feature.max_version_level)).collect()
}

/// Goal: kraft.version is raised together with another feature or not at all, whatever happens to the controller that
/// was asked. They are two batches of the log, as with Kafka's controller; what a
/// leader did not come to, the next one does when the request comes to it.
#[test]
fn kraft_version_and_another_feature_are_raised_over_a_change_of_leader() {
    let done = Cell::new(0);
    for after_ms in 0..12 {
        Cluster::combined(300 + after_ms).run(async |cluster| {
            let nodes = cluster.start().await;
            let active = cluster.active_controller(0).await;
            let asked = (active + 1) % 3;
            let mut client = cluster.connect(&nodes[asked]).await;
            let lower = levels(&mut client).await;
            let has = |levels: &[(String, i16)], name: &str, level: i16| {
                levels.iter().any(|(known, at)| known == name && *at == level)
            };
            assert!(!has(&lower, "kraft.version", 1), "{lower:?}");
            let update = |name, level, kind| FeatureUpdateKey {
                feature: Str::from(name),
                max_version_level: level,
                upgrade_type: kind,
                ..FeatureUpdateKey::default()
            };
            let request = UpdateFeaturesRequest {
                timeout_ms: 30_000,
                feature_updates: vec![
                    update("kraft.version", 1, 1),
                    update("eligible.leader.replicas.version", 0, 2),
                ],
                ..UpdateFeaturesRequest::default()
            };
            let correlation = client.post(1, &request).await;
            cluster.client.sleep(Duration::from_millis(after_ms)).await;
            cluster.kill(active);
            let answer = client.answer::<UpdateFeaturesRequest>(1, correlation).await;
            let after = levels(&mut client).await;
            // A leader that was not told by the dead voter what that knows cannot raise the quorum.
            let is_done = answer.error_code == 0;
            let is_refused = answer.error_code == ErrorCode::InvalidUpdateVersion.code();
            assert!(is_done || is_refused, "{after_ms} ms: {answer:?}");
            let other = "eligible.leader.replicas.version";
            let found = (has(&after, "kraft.version", 1), !has(&after, other, 1));
            assert_eq!(found, (is_done, is_done), "{after_ms} ms: {after:?}");
            done.set(done.get() + usize::from(is_done));
        });
    }
    assert!((1..12).contains(&done.get()), "both ends are met: {}", done.get());
}
