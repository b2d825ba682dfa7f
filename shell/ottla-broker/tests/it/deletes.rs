//! DeleteRecords where others follow, and while the leader changes.

use std::time::Duration;

use ottla_env::sim::Sim;
use ottla_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsTopic,
};
use ottla_protocol::messages::elect_leaders_request::TopicPartitions;
use ottla_protocol::messages::{DeleteRecordsRequest, ElectLeadersRequest};
use ottla_protocol::{ErrorCode, Str};

use crate::replication::{Cluster, NODES, TOPIC};

const ROUNDS: i64 = 150;
/// In rounds before this one the election comes after the deletion, in the others before it.
const TURN: i64 = 30;

/// Goal: what was answered as deleted is deleted wherever the partition is led next. Method: the records are
/// deleted at one leader around the moment in which another is elected.
#[test]
fn what_is_deleted_stays_deleted_whoever_leads() {
    let sim = Sim::new(31);
    sim.block_on(async {
        let cluster = Cluster::start(&sim).await;
        cluster.create_topic(3, &[]).await;
        let (mut done, mut refused) = (0, 0);
        for round in 0..ROUNDS {
            cluster.produce("x").await;
            let leader = cluster.leader().await;
            let mut order: Vec<usize> = (0..NODES).collect();
            order.rotate_left((leader + 1) % NODES);
            cluster.reassign(&order).await;
            let mut client = cluster.client(leader).await;
            let request = delete_before(round + 1);
            let mut elector = cluster.client(order[0]).await;
            let (mut before_delete, mut before_elect) = (Duration::ZERO, Duration::ZERO);
            match u32::try_from(round - TURN) {
                Ok(late) => before_delete = Duration::from_micros(200) * late,
                Err(_) => before_elect = Duration::from_millis(30) * round as u32,
            }
            let delete = async {
                sim.sleep(before_delete).await;
                client.call(2, &request).await
            };
            let elect = async {
                sim.sleep(before_elect).await;
                elector.call(2, &preferred()).await
            };
            let (deleted, _) = tokio::join!(delete, elect);
            let answer = &deleted.topics[0].partitions[0];
            cluster.partition(|now| now.leader_id == order[0] as i32 + 1).await;
            let log_start = cluster.fetch(order[0], round + 1).await.log_start_offset;
            match ErrorCode::from_code(answer.error_code) {
                Some(ErrorCode::None) => {
                    assert!(log_start > round, "round {round}: {log_start}, {answer:?}");
                    done += 1;
                }
                Some(ErrorCode::NotLeaderOrFollower) => refused += 1,
                _ => panic!("{answer:?}"),
            }
        }
        assert!(done > 0 && refused > 0, "done {done}, refused {refused}");
    });
}

/// Goal: what was answered as deleted does not come back with a replica that was down, and may lead as it was.
/// Method: with three required in sync, one that stops is eligible (KIP-966) until it is back; meanwhile
/// nothing is answered as deleted.
#[test]
fn whoever_may_lead_is_waited_for() {
    let sim = Sim::new(38);
    sim.block_on(async {
        let mut cluster = Cluster::start(&sim).await;
        cluster.create_topic(3, &[("min.insync.replicas", "3")]).await;
        cluster.produce("x").await;
        let leader = cluster.leader().await;
        let other = (leader + 1) % NODES;
        cluster.cut_power(other);
        cluster.partition(|partition| partition.isr_nodes.len() == NODES - 1).await;
        let mut client = cluster.client(leader).await;
        let request = DeleteRecordsRequest { timeout_ms: 3_000, ..delete_before(1) };
        let answer = client.call(2, &request).await;
        let code = answer.topics[0].partitions[0].error_code;
        assert_eq!(code, ErrorCode::RequestTimedOut.code());
        cluster.restart(other).await;
        let answer = client.call(2, &delete_before(1)).await;
        let answer = &answer.topics[0].partitions[0];
        assert_eq!((answer.error_code, answer.low_watermark), (0, 1));
    });
}

fn delete_before(offset: i64) -> DeleteRecordsRequest {
    let partition = DeleteRecordsPartition { offset, ..DeleteRecordsPartition::default() };
    let topic = DeleteRecordsTopic {
        name: Str::from(TOPIC),
        partitions: vec![partition],
        ..DeleteRecordsTopic::default()
    };
    DeleteRecordsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() }
}

fn preferred() -> ElectLeadersRequest {
    let topic =
        TopicPartitions { topic: Str::from(TOPIC), partitions: vec![0], ..Default::default() };
    ElectLeadersRequest {
        topic_partitions: Some(vec![topic]),
        timeout_ms: 5000,
        ..Default::default()
    }
}
