//! Nodes with several log directories, of which one fails (KIP-112, KIP-858).

use std::path::Path;

use ottla_env::sim::Sim;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use crate::replication::{Cluster, NODES, name};

/// The directory that has the partition: the metadata log is in the other one already.
const BUSY: &str = "/b";

async fn directories(cluster: &Cluster<'_>, at: usize) -> DescribeLogDirsResponse {
    let all = DescribeLogDirsRequest { topics: None, ..Default::default() };
    cluster.client(at).await.call(4, &all).await
}

/// Goal: a disk that fails takes its partitions with it, and nothing else: another replica leads, nothing
/// acknowledged is lost, the node goes on with its other disk, also over a restart, and an empty log never
/// takes the place of the one that is out of reach. Once the disk is back all replicas are in sync.
#[test]
fn a_disk_fails_and_comes_back() {
    let sim = Sim::new(31);
    sim.block_on(async {
        let mut cluster = Cluster::start_in(&sim, "/a,/b").await;
        cluster.create_topic(3, &[("min.insync.replicas", "2")]).await;
        cluster.produce("before").await;
        let hurt = cluster.leader().await;
        let id = i32::try_from(hurt + 1).unwrap();
        let found = directories(&cluster, hurt).await;
        let busy = found.results.iter().find(|result| !result.topics.is_empty()).unwrap();
        assert_eq!(&*busy.log_dir, BUSY);

        sim.disk(&name(hurt)).lose_folder(Path::new(BUSY));
        cluster.produce("without").await;
        let found = cluster.partition(|now| !now.isr_nodes.contains(&id)).await;
        assert_ne!(found.leader_id, id);
        let found = directories(&cluster, hurt).await;
        let codes: Vec<(&str, i16)> =
            found.results.iter().map(|result| (&*result.log_dir, result.error_code)).collect();
        assert_eq!(codes, [("/a", 0), (BUSY, ErrorCode::KafkaStorageError.code())]);

        cluster.cut_power(hurt);
        cluster.restart(hurt).await;
        cluster.produce("still").await;
        let answer = cluster.fetch(hurt, 0).await;
        assert_ne!(answer.error_code, 0, "it has no log, and must not have made an empty one");
        let found = cluster.partition(|_| true).await;
        assert!(!found.isr_nodes.contains(&id), "{found:?}");

        cluster.cut_power(hurt);
        sim.disk(&name(hurt)).clear_faults();
        cluster.restart(hurt).await;
        cluster.partition(|now| now.isr_nodes.len() == NODES).await;
        cluster.produce("after").await;
        let leader = cluster.leader().await;
        let found = cluster.values(leader, 4).await;
        // A record that was tried again may be there twice.
        let mut distinct = found.clone();
        distinct.dedup();
        assert_eq!(distinct, ["before", "without", "still", "after"]);
        for at in 0..NODES {
            assert_eq!(cluster.values(at, found.len()).await, found, "{}", name(at));
        }
    });
}
