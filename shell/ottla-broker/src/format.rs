//! How a node formats itself: which cluster an empty data directory is to be of. Writes nothing; the
//! data directory is made with what is said here.
//!
//! | the node | the cluster's id |
//! |--|--|
//! | `CLUSTER_ID`, `KAFKA_KRAFT_CLUSTER_ID`, `ottla.cluster.id` | that one; a directory of another cluster is refused |
//! | has data | the data's |
//! | knows of no other node | a random one |
//! | a controller answers | the controller's |
//! | is one of the static voters, and none answers | made from the list of voters, so that all make the same |
//! | is the first of the bootstrap servers, and none answers | a random one: it founds the cluster |
//! | any other | waits until a controller answers |

use std::fmt;
use std::path::Path;
use std::time::Duration;

use ottla_client::{ClientOptions, Connection};
use ottla_config::{BrokerConfig, Voter};
use ottla_env::{Disk, Env};
use ottla_log::kafka_dir::META_PROPERTIES;
use ottla_protocol::Uuid;
use ottla_protocol::messages::DescribeClusterRequest;
use tokio::sync::mpsc;

/// How long the controllers have to answer, all together.
const ASK_MAX: Duration = Duration::from_secs(1);
/// Before they are asked again.
const ASK_PAUSE: Duration = Duration::from_millis(100);
/// Lines about waiting are this many rounds apart.
const ROUNDS_BETWEEN_LINES: u32 = 50;
/// The endpoints of controllers, as DescribeCluster counts them.
const CONTROLLERS: i8 = 2;

/// Why a node does not know which cluster it is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormatError {
    asked: Vec<String>,
    waited: Duration,
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the data directory is empty, and no controller told within {} s which cluster to \
             join: asked {}; start the controllers, correct controller.quorum.bootstrap.servers or \
             controller.quorum.voters, or name the cluster by ottla.cluster.id (CLUSTER_ID)",
            self.waited.as_secs(),
            self.asked.join(", ")
        )
    }
}

impl std::error::Error for FormatError {}

/// The id to make or open the data directory with; nothing where the directory knows, or a random
/// one will do.
pub(crate) async fn cluster_id<E: Env>(
    env: &E,
    config: &BrokerConfig,
) -> Result<Option<String>, FormatError> {
    let said = config.ottla.cluster_id.clone();
    if said.is_some() || !config.has_peers() || is_formatted(env, &config.data_dir) {
        return Ok(said);
    }
    let asked = controllers(config);
    let limit = config.node.initial_broker_registration_timeout_ms.try_into().unwrap_or(0);
    let (began, waited) = (env.now(), Duration::from_millis(limit));
    for round in 1_u32.. {
        if let Some(found) = ask_all(env, &asked).await {
            return Ok(Some(found));
        }
        if config.quorum.voters.iter().any(|voter| voter.id == config.node_id) {
            return Ok(Some(of_voters(&config.quorum.voters)));
        }
        if config.founds_quorum() {
            return Ok(None);
        }
        if env.now() - began >= waited {
            break;
        }
        if round % ROUNDS_BETWEEN_LINES == 1 {
            tracing::info!(controllers = asked.join(", "), "wait for a controller to join");
        }
        env.sleep(ASK_PAUSE).await;
    }
    Err(FormatError { asked, waited })
}

fn is_formatted<E: Env>(env: &E, data_dir: &str) -> bool {
    let path = Path::new(data_dir).join(META_PROPERTIES);
    // A directory that cannot be read is refused when it is opened, with the reason.
    env.disk().read_file(&path, 1 << 16).is_ok_and(|bytes| !bytes.is_empty())
}

/// The addresses of all controllers that the configuration names, but this node's own.
fn controllers(config: &BrokerConfig) -> Vec<String> {
    let voters = config.quorum.voters.iter().filter(|voter| voter.id != config.node_id);
    let servers = config.quorum.bootstrap_servers.iter().filter(|server| !config.is_own(server));
    let mut addresses: Vec<String> =
        voters.map(Voter::address).chain(servers.cloned()).map(|to| to.to_string()).collect();
    addresses.sort();
    addresses.dedup();
    addresses
}

/// The first answer of any of them. Those that do not answer in time may be starting too.
async fn ask_all<E: Env>(env: &E, addresses: &[String]) -> Option<String> {
    let (tell, mut answers) = mpsc::channel(addresses.len().max(1));
    for address in addresses {
        let (env_of_task, address, tell) = (env.clone(), address.clone(), tell.clone());
        let asking = async move {
            if let Some(id) = ask(&env_of_task, &address).await {
                // Another may have been faster.
                let _ = tell.send(id).await;
            }
        };
        drop(env.spawn("format", asking));
    }
    drop(tell);
    env.timeout(ASK_MAX, answers.recv()).await.ok().flatten()
}

async fn ask<E: Env>(env: &E, address: &str) -> Option<String> {
    let options = ClientOptions {
        connect_timeout: ASK_MAX,
        request_timeout: ASK_MAX,
        ..ClientOptions::new(address)
    };
    let connection = Connection::open(env, address, &options).await.ok()?;
    let request =
        DescribeClusterRequest { endpoint_type: CONTROLLERS, ..DescribeClusterRequest::default() };
    let response = connection.call(&request, Duration::ZERO).await.ok()?;
    let is_told = response.error_code == 0 && !response.cluster_id.is_empty();
    is_told.then(|| response.cluster_id.to_string())
}

/// The same id on every node that has the same list: 128 bits of FNV-1a over it, marked as random
/// ids are (version 4), and never with a dash in front, as in Kafka.
fn of_voters(voters: &[Voter]) -> String {
    let mut sorted: Vec<&Voter> = voters.iter().collect();
    sorted.sort();
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let mut add = |text: &str| {
        for byte in text.bytes() {
            hash = (hash ^ u128::from(byte)).wrapping_mul(0x0100_0000_0000_0000_0000_013b);
        }
        hash
    };
    for voter in sorted {
        add(&voter.to_string().to_ascii_lowercase());
        add("\n");
    }
    loop {
        let mut bytes = add("ottla").to_be_bytes();
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let text = Uuid(bytes).to_string();
        if !text.starts_with('-') {
            return text;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voters(text: &str) -> Vec<Voter> {
        text.split(',').map(|word| Voter::parse(word).unwrap()).collect()
    }

    #[test]
    fn the_same_voters_make_the_same_cluster_in_any_order() {
        let id = of_voters(&voters("1@a:9093,2@b:9093,3@c:9093"));
        assert_eq!(id, of_voters(&voters("3@c:9093,1@A:9093,2@b:9093")));
        assert_eq!(id.len(), 22);
        for other in
            ["1@a:9093,2@b:9093", "1@a:9093,2@b:9093,3@c:9094", "1@a:9093,2@b:9093,4@c:9093"]
        {
            assert_ne!(id, of_voters(&voters(other)), "{other}");
        }
    }

    #[test]
    fn no_id_begins_with_a_dash() {
        for port in 1..2_000 {
            let id = of_voters(&voters(&format!("1@a:{port},2@b:{port}")));
            assert!(!id.starts_with('-'), "{id}");
        }
    }
}
