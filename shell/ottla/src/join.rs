//! `ottla server --join HOST:PORT`: what a new node must know of a running cluster. It is asked once
//! and kept beside the data; after that the node starts like any other.
//!
//! The node takes the next free id, and others that join meanwhile may take the same one. Its registration
//! decides: the controller gives an id to one process at a time. Until it has been registered what it was
//! told lies in a file of another name; when the id turns out to be somebody else's, the node lets go
//! of it and asks again.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use ottla_client::{Admin, Client, ClientOptions};
use ottla_config::parse::properties;
use ottla_config::{BrokerConfig, Layers, Setting, data_dir};
use ottla_env::os::{self, OsEnv};
use ottla_env::{Disk, Env, Stream};
use ottla_log::kafka_dir::META_PROPERTIES;

/// The file in the data directory.
const FILE: &str = "joined.properties";
/// The same while the node has not yet been let in with it.
const TENTATIVE: &str = "joining.properties";
/// The largest that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How long the cluster may take to answer.
const ASK_MAX: Duration = Duration::from_secs(20);
/// Ports that are tried on a machine that has a node already.
const PORTS: std::ops::Range<u16> = 9092..9192;

/// How far a node is with joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Joining {
    /// It has its place, or was never told to join.
    Done,
    /// It was told an id a moment ago.
    Now,
    /// An earlier process was, and nobody knows whether it was let in.
    Before,
}

/// What an earlier join left in the data directory, or what the cluster at `address` says now.
pub(crate) fn settings(
    address: Option<&str>,
    said: &Layers,
) -> Result<(Vec<Setting>, Joining), Vec<String>> {
    let folder = data_dir(said);
    let folder = Path::new(&folder);
    let (path, tentative) = (folder.join(FILE), folder.join(TENTATIVE));
    let disk = os::OsDisk;
    if disk.exists(&path) {
        return Ok((read(&path)?, Joining::Done));
    }
    if disk.exists(&tentative) {
        return Ok((read(&tentative)?, Joining::Before));
    }
    let Some(address) = address else { return Ok((Vec::new(), Joining::Done)) };
    let text = os::run(Some(1), |env| ask(env, address, said))
        .unwrap_or_else(|error| Err(error.to_string()))
        .map_err(|error| vec![format!("cannot join the cluster at {address}: {error}")])?;
    disk.create_dir_all(folder)
        .and_then(|()| disk.replace_file(&tentative, text.as_bytes()))
        .map_err(|error| vec![format!("cannot write {}: {error}", tentative.display())])?;
    Ok((read(&tentative)?, Joining::Now))
}

fn read(path: &Path) -> Result<Vec<Setting>, Vec<String>> {
    let name = path.display().to_string();
    let bytes = os::OsDisk.read_file(path, FILE_BYTES_MAX);
    let bytes = bytes.map_err(|error| vec![format!("cannot read {name}: {error}")])?;
    let text = String::from_utf8_lossy(&bytes);
    properties::parse(&name, &text)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

/// Whether a setting of the file at `path` was learned when the node began to join.
pub(crate) fn wrote(config: &BrokerConfig, path: &str) -> bool {
    Path::new(path) == Path::new(&config.data_dir).join(TENTATIVE)
}

/// The node is in: it keeps what it was told.
pub(crate) fn keep(config: &BrokerConfig) -> std::io::Result<()> {
    let folder = Path::new(&config.data_dir);
    os::OsDisk.rename(&folder.join(TENTATIVE), &folder.join(FILE))?;
    os::OsDisk.sync_dir(folder)
}

/// The id is somebody else's, or the port: nothing here says any more that it was this node's.
pub(crate) fn let_go(config: &BrokerConfig) -> std::io::Result<()> {
    let disk = os::OsDisk;
    let removed = |path: &Path| match disk.remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    for folder in std::iter::once(&config.data_dir).chain(&config.more_data_dirs) {
        removed(&Path::new(folder).join(META_PROPERTIES))?;
    }
    // Last: as long as it is there, another start lets go again.
    removed(&Path::new(&config.data_dir).join(TENTATIVE))?;
    disk.sync_dir(Path::new(&config.data_dir))
}

/// The text of the file.
async fn ask(env: OsEnv, address: &str, said: &Layers) -> Result<String, String> {
    let options = ClientOptions { api_timeout: ASK_MAX, ..ClientOptions::new(address) };
    let client = Client::connect(env.clone(), options).await.map_err(|error| error.to_string())?;
    let admin = Admin::new(client);
    let cluster = admin.describe_brokers().await.map_err(|error| error.to_string())?;
    let quorum = admin.describe_quorum().await.map_err(|error| error.to_string())?;
    let voters: BTreeSet<i32> = quorum.voters.iter().map(|voter| voter.id).collect();
    let controllers = quorum.addresses.iter().filter(|(id, _)| voters.contains(id));
    let controllers: Vec<String> = controllers.flat_map(|(_, all)| all.clone()).collect();
    if controllers.is_empty() {
        let text = "its controller listens for no other node; start that one with a listener for \
                    them, for example --set listeners=PLAINTEXT://localhost:9092,\
                    CONTROLLER://localhost:9093 --set controller.listener.names=CONTROLLER";
        return Err(text.to_owned());
    }
    let taken = cluster.brokers.iter().map(|broker| broker.id).chain(voters);
    let taken = taken.chain(quorum.observers.iter().map(|observer| observer.id));
    let free = taken.max().map_or(1, |highest| highest + 1);
    let mut text = format!(
        "# What `ottla server --join {address}` learned of the cluster. Settings of flags, of the\n\
         # environment and of a file win over these.\n\
         node.id={free}\n\
         process.roles=broker\n\
         ottla.cluster.id={}\n\
         controller.quorum.bootstrap.servers={}\n",
        cluster.cluster_id,
        controllers.join(","),
    );
    if !said.is_set("listeners") {
        let own = own_address(&env, address).await?;
        text.push_str(&format!("listeners=PLAINTEXT://{own}\n"));
    }
    Ok(text)
}

/// Where other nodes can reach this one: the address it reaches the cluster from, and a free port.
async fn own_address(env: &OsEnv, address: &str) -> Result<SocketAddr, String> {
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "9092"));
    let host = host.trim_matches(['[', ']']);
    let port = port.parse().map_err(|_| format!("{address} is not host:port"))?;
    let found = env.resolve(host, port).await.map_err(|error| error.to_string())?;
    let mut last = format!("{host} has no address");
    for socket in found {
        let ip = match env.connect(socket).await.and_then(|stream| stream.local_addr()) {
            Ok(local) => local.ip(),
            Err(error) => {
                last = error.to_string();
                continue;
            }
        };
        for port in PORTS {
            if env.listen(SocketAddr::new(ip, port)).await.is_ok() {
                return Ok(SocketAddr::new(ip, port));
            }
        }
        last = format!("no port of {}-{} is free", PORTS.start, PORTS.end - 1);
    }
    Err(last)
}
