//! The folder of a cluster on one machine: for each node a file of settings, a log, a data directory.

use std::path::{Path, PathBuf};

use ottla_config::parse::properties;
use ottla_env::os::OsEnv;
use ottla_env::{Disk, Env, Listener};
use ottla_protocol::Uuid;

use super::{Failure, Outcome, Start};

/// Nodes of a cluster whose folder does not say how many.
const NODES: u16 = 3;
/// Controllers' ports lie so far above those for clients.
const CONTROLLERS_ABOVE: u16 = 100;
/// Where all of it listens.
const HOST: &str = "127.0.0.1";
/// The largest file of settings that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: u16,
    /// For clients.
    pub(super) address: String,
}

/// What the folder holds.
pub(super) struct Layout {
    pub(super) dir: PathBuf,
    pub(super) members: Vec<Member>,
}

impl Layout {
    /// Reads what is there, or writes it.
    pub(super) async fn prepare(env: &OsEnv, flags: &Start) -> Outcome<Layout> {
        env.disk().create_dir_all(&flags.dir)?;
        // So that a node's settings can be used from anywhere.
        let dir = std::path::absolute(&flags.dir)?;
        let mut layout = Layout { dir, members: Vec::new() };
        layout.read(env)?;
        if layout.members.is_empty() {
            layout.write(env, flags).await?;
            return Ok(layout);
        }
        let count = layout.members.len();
        if flags.nodes.is_some_and(|wanted| usize::from(wanted) != count) {
            let text = format!(
                "{} holds a cluster of {count} nodes; leave --nodes out to start it, or choose \
                 another --dir",
                layout.dir.display()
            );
            return Err(Failure::Input(text));
        }
        Ok(layout)
    }

    pub(super) fn settings_of(&self, member: &Member) -> PathBuf {
        self.dir.join(format!("node-{}.properties", member.id))
    }

    pub(super) fn log_of(&self, member: &Member) -> PathBuf {
        self.dir.join(format!("node-{}.log", member.id))
    }

    /// The addresses for clients.
    pub(super) fn bootstrap(&self) -> String {
        let addresses: Vec<&str> = self.members.iter().map(|m| m.address.as_str()).collect();
        addresses.join(",")
    }

    fn read(&mut self, env: &OsEnv) -> Outcome<()> {
        for id in 1_u16.. {
            let member = Member { id, address: String::new() };
            let path = self.settings_of(&member);
            if !env.disk().exists(&path) {
                break;
            }
            let address = client_address(env, &path)?;
            self.members.push(Member { id, address });
        }
        Ok(())
    }

    async fn write(&mut self, env: &OsEnv, flags: &Start) -> Outcome<()> {
        let count = flags.nodes.unwrap_or(NODES);
        let ports = ports(env, flags.port, count).await?;
        let voters: Vec<String> = (1..=count)
            .zip(&ports)
            .map(|(id, (_, controller))| format!("{id}@{HOST}:{controller}"))
            .collect();
        // An id of its own, so that no node has to ask the others before it starts.
        let cluster_id = random_id(env);
        for (id, (client, controller)) in (1..=count).zip(&ports) {
            let member = Member { id, address: format!("{HOST}:{client}") };
            let path = self.settings_of(&member);
            let mut text = format!(
                "# Made by `ottla cluster start`. This node alone: ottla server --config {}\n\
                 node.id={id}\n\
                 process.roles=broker,controller\n\
                 listeners=PLAINTEXT://{HOST}:{client},CONTROLLER://{HOST}:{controller}\n\
                 controller.listener.names=CONTROLLER\n\
                 controller.quorum.voters={}\n\
                 log.dirs={}\n\
                 ottla.cluster.id={cluster_id}\n",
                path.display(),
                voters.join(","),
                self.dir.join(format!("node-{id}")).display(),
            );
            let replicas = count.min(NODES);
            // What a node's death may not take: Kafka's own default is one replica.
            text.push_str(&format!(
                "default.replication.factor={replicas}\n\
                 offsets.topic.replication.factor={replicas}\n\
                 min.insync.replicas={}\n",
                replicas.div_ceil(2)
            ));
            for setting in &flags.settings {
                text.push_str(setting);
                text.push('\n');
            }
            env.disk().replace_file(&path, text.as_bytes())?;
            self.members.push(member);
        }
        Ok(())
    }
}

/// An id whose text does not begin with a dash: command lines take that for a flag.
fn random_id(env: &OsEnv) -> Uuid {
    loop {
        let mut random = [0; 16];
        env.fill_random(&mut random);
        let id = Uuid::from_random(random);
        if !id.to_string().starts_with('-') {
            return id;
        }
    }
}

/// The address of the first listener.
fn client_address(env: &OsEnv, path: &Path) -> Outcome<String> {
    let wrong = |what: &str| Failure::Input(format!("{}: {what}", path.display()));
    let bytes = env.disk().read_file(path, FILE_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8 text"))?;
    let settings = properties::parse(&path.display().to_string(), &text);
    let settings = settings.map_err(|_| wrong("it is no file of settings"))?;
    let listeners = settings.iter().rfind(|setting| setting.key == "listeners");
    let first = listeners.and_then(|setting| setting.value.split(',').next());
    let address = first.and_then(|word| word.split_once("://"));
    address.map(|(_, address)| address.to_owned()).ok_or_else(|| wrong("it names no listener"))
}

/// Two ports for each node, for clients and for the quorum: in a row from `first` on, or free ones.
async fn ports(env: &OsEnv, first: u16, count: u16) -> Outcome<Vec<(u16, u16)>> {
    if first != 0 {
        let port =
            |at: u16, above: u16| first.checked_add(at).and_then(|port| port.checked_add(above));
        let row = (0..count).map(|at| Some((port(at, 0)?, port(at, CONTROLLERS_ABOVE)?)));
        let row: Option<Vec<_>> = row.collect();
        return row
            .ok_or_else(|| Failure::Input(format!("--port {first} leaves no room above it")));
    }
    // All are held until each has been chosen, so that no two are the same.
    let mut held = Vec::new();
    for _ in 0..count * 2 {
        held.push(env.listen(([127, 0, 0, 1], 0).into()).await?);
    }
    let mut free = Vec::new();
    for pair in held.chunks(2) {
        free.push((pair[0].local_addr()?.port(), pair[1].local_addr()?.port()));
    }
    Ok(free)
}
