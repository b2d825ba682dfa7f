//! Says so, every few seconds, where this node finds no leader of the metadata quorum, and finds out
//! whether the controllers it was told of are of its cluster at all.

use std::sync::Arc;
use std::time::Duration;

use ottla_client::{ClientOptions, Connection};
use ottla_config::BrokerConfig;
use ottla_env::Env;
use ottla_protocol::messages::DescribeClusterRequest;

use super::LifecycleDriver;

/// How long an election may take before anybody is told.
const FIRST: Duration = Duration::from_secs(3);
const EVERY: Duration = Duration::from_secs(5);
/// How long a controller may take to say of which cluster it is.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// What a controller tells of controllers.
const CONTROLLERS: i8 = 2;

/// Runs until the node stops.
pub(super) async fn run<E: Env>(driver: Arc<LifecycleDriver<E>>) {
    let mut view = driver.raft.watch();
    let mut pause = FIRST;
    loop {
        if view.wait_for(|now| now.leader.is_none()).await.is_err() {
            return;
        }
        let found = async {
            let _ = view.wait_for(|now| now.leader.is_some()).await;
        };
        if driver.env.timeout(pause, found).await.is_ok() {
            pause = FIRST;
            continue;
        }
        pause = EVERY;
        let controllers = addresses(&driver.config.get());
        if let Some((address, cluster_id)) = stranger(&driver, &controllers).await {
            tracing::error!(
                address,
                its_cluster = cluster_id,
                own_cluster = %driver.node.cluster_id,
                "a controller that this node was told of is of another cluster"
            );
            driver.other_cluster.send_replace(Some(cluster_id));
            continue;
        }
        tracing::warn!(
            controllers = controllers.join(", "),
            "no leader of the metadata quorum is to be reached; check that a majority of these \
             controllers runs, that these addresses lead to them from here, and that they name the \
             same voters; this node goes on trying"
        );
    }
}

/// The controllers that the configuration names, but this node itself.
fn addresses(config: &BrokerConfig) -> Vec<String> {
    let voters = config.quorum.voters.iter().filter(|voter| voter.id != config.node_id);
    let servers = config.quorum.bootstrap_servers.iter();
    voters
        .map(|voter| voter.address().to_string())
        .chain(servers.map(ToString::to_string))
        .collect()
}

/// The first controller that says it is of another cluster, and of which.
async fn stranger<E: Env>(
    driver: &LifecycleDriver<E>,
    controllers: &[String],
) -> Option<(String, String)> {
    for address in controllers {
        let options = ClientOptions {
            client_id: format!("ottla-{}", driver.node.node_id),
            connect_timeout: ANSWER_MAX,
            request_timeout: ANSWER_MAX,
            ..ClientOptions::default()
        };
        let Ok(connection) = Connection::open(&driver.env, address, &options).await else {
            continue;
        };
        let request = DescribeClusterRequest { endpoint_type: CONTROLLERS, ..Default::default() };
        let Ok(answer) = connection.call(&request, Duration::ZERO).await else { continue };
        if answer.error_code == 0 && *answer.cluster_id != *driver.node.cluster_id {
            return Some((address.clone(), answer.cluster_id.to_string()));
        }
    }
    None
}
