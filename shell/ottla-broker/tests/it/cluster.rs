//! Clusters of several nodes in simulation: the real broker, real frames, virtual time.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use ottla_broker::{Broker, StartError};
use ottla_config::{Layers, Setting};
use ottla_env::Env;
use ottla_env::sim::{Sim, SimEnv};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::{
    CreateTopicsRequest, CreateTopicsResponse, DescribeClusterRequest, MetadataRequest,
    MetadataResponse,
};
use ottla_protocol::{ErrorCode, Str};
use tokio::sync::oneshot;

use crate::world::{Client, Node};

mod formatting;

mod forming;

mod groups;

mod intruders;

mod roles;

mod storm;

mod takeover;

mod voters;

/// Where clients and controllers find a node.
const CLIENTS: u16 = 9092;
const CONTROLLERS: u16 = 9093;
/// No election, registration or loss takes longer, in the world's time.
const FORMING_MAX: Duration = Duration::from_secs(60);
const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";

/// A node's place in the cluster.
pub(crate) struct Seat {
    name: &'static str,
    id: i32,
    roles: &'static str,
    /// Changes when the machine is started again.
    env: RefCell<SimEnv>,
}

impl Seat {
    fn env(&self) -> SimEnv {
        self.env.borrow().clone()
    }
}

/// Some machines, and the settings that make a cluster of them.
pub(crate) struct Cluster {
    sim: Sim,
    seats: Vec<Seat>,
    client: SimEnv,
    /// The first node is found by its address, and others join it; nobody's configuration names the voters.
    is_founded: bool,
    /// Nodes are told which cluster they are of.
    names_cluster: bool,
}

const NAMES: [&str; 6] = ["n1", "n2", "n3", "n4", "n5", "n6"];

impl Cluster {
    /// Machines with these roles; their ids count from 1.
    pub(crate) fn new(seed: u64, roles: &[&'static str]) -> Cluster {
        let sim = Sim::new(seed);
        let seat = |(at, roles): (usize, &&'static str)| Seat {
            name: NAMES[at],
            id: i32::try_from(at).unwrap() + 1,
            roles,
            env: RefCell::new(sim.node(NAMES[at])),
        };
        let seats = roles.iter().enumerate().map(seat).collect();
        let client = sim.node("client");
        Cluster { sim, seats, client, is_founded: false, names_cluster: true }
    }

    /// The nodes have to find out themselves which cluster they are of.
    pub(crate) fn without_id(self) -> Cluster {
        Cluster { names_cluster: false, ..self }
    }

    /// Three nodes that are broker and controller each.
    pub(crate) fn combined(seed: u64) -> Cluster {
        Cluster::new(seed, &["broker,controller"; 3])
    }

    pub(crate) fn run(self, scenario: impl AsyncFnOnce(&Cluster)) {
        self.sim.block_on(scenario(&self));
    }

    fn voters(&self) -> String {
        let voters = self.seats.iter().filter(|seat| seat.roles.contains("controller"));
        let voter = |seat: &Seat| format!("{}@{}:{CONTROLLERS}", seat.id, seat.env().ip());
        voters.map(voter).collect::<Vec<_>>().join(",")
    }

    fn settings(&self, seat: &Seat) -> Vec<(String, String)> {
        let ip = seat.env().ip();
        let clients = format!("PLAINTEXT://{ip}:{CLIENTS}");
        let controllers = format!("CONTROLLER://{ip}:{CONTROLLERS}");
        let listeners = match seat.roles {
            "broker" => clients,
            "controller" => controllers,
            _ => format!("{clients},{controllers}"),
        };
        let settings = [
            ("node.id", seat.id.to_string()),
            ("process.roles", seat.roles.to_owned()),
            ("listeners", listeners),
            ("controller.listener.names", "CONTROLLER".to_owned()),
            ("log.dirs", "/data".to_owned()),
            ("ottla.cluster.id", CLUSTER_ID.to_owned()),
        ];
        let quorum = match self.is_founded {
            false => vec![("controller.quorum.voters", self.voters())],
            true => vec![
                ("controller.quorum.bootstrap.servers", self.controller_address(0).to_string()),
                ("controller.quorum.auto.join.enable", "true".to_owned()),
            ],
        };
        let is_said = |key: &str| self.names_cluster || key != "ottla.cluster.id";
        let said = settings.into_iter().chain(quorum).filter(|(key, _)| is_said(key));
        said.map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// Starts a node on its machine, and waits until it serves or is refused.
    pub(crate) async fn try_start(
        &self,
        at: usize,
        settings: &[(&str, &str)],
    ) -> Result<Node<SimEnv>, StartError> {
        let started = self.client.timeout(FORMING_MAX, self.begin(at, settings)).await;
        started.expect("a start ends in time").expect("the machine is up")
    }

    pub(crate) async fn start_one(&self, at: usize) -> Node<SimEnv> {
        self.try_start(at, &[]).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Begins the start of a node.
    pub(crate) fn begin(
        &self,
        at: usize,
        settings: &[(&str, &str)],
    ) -> oneshot::Receiver<Result<Node<SimEnv>, StartError>> {
        let seat = &self.seats[at];
        let usual = self.settings(seat).into_iter();
        let own = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let flags = usual.chain(own).map(|(key, value)| Setting::flag(key, value));
        let layers = Layers::new(flags.collect::<Vec<_>>());
        let (sender, started) = oneshot::channel();
        let env = seat.env();
        seat.env().spawn("start", async move {
            let broker = Broker::start(env.clone(), layers).await;
            let address = SocketAddr::new(env.ip(), CLIENTS);
            let _ = sender.send(broker.map(|broker| Node { env, broker, address }));
        });
        started
    }

    /// Starts every node at once.
    pub(crate) async fn start(&self) -> Vec<Node<SimEnv>> {
        let starting: Vec<_> = (0..self.seats.len()).map(|at| self.begin(at, &[])).collect();
        let mut nodes = Vec::new();
        for started in starting {
            let started = self.client.timeout(FORMING_MAX, started).await;
            let node = started.expect("the cluster forms in time").expect("the machine is up");
            nodes.push(node.unwrap_or_else(|error| panic!("{error}")));
        }
        nodes
    }

    /// The process dies; what it wrote is there.
    pub(crate) fn kill(&self, at: usize) {
        self.sim.kill(self.seats[at].name);
    }

    /// The machine of a dead process takes another.
    pub(crate) fn revive(&self, at: usize) {
        *self.seats[at].env.borrow_mut() = self.sim.restart(self.seats[at].name);
    }

    /// Where controllers find a node.
    pub(crate) fn controller_address(&self, at: usize) -> SocketAddr {
        SocketAddr::new(self.seats[at].env().ip(), CONTROLLERS)
    }

    /// The seat of the active controller, as some controller has it.
    pub(crate) async fn active_controller(&self, asked: usize) -> usize {
        let mut client = Client::open(&self.client, self.controller_address(asked)).await;
        let request = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
        let answer = client.call(1, &request).await;
        assert_eq!(answer.error_code, 0, "{answer:?}");
        usize::try_from(answer.controller_id).expect("somebody leads") - 1
    }

    /// Waits until a node tells of these live brokers.
    pub(crate) async fn until_live(&self, node: &Node<SimEnv>, ids: &[i32]) {
        let deadline = self.client.now() + FORMING_MAX;
        loop {
            let mut client = self.connect(node).await;
            let answer = metadata(&mut client, &[]).await;
            let live: Vec<i32> = answer.brokers.iter().map(|broker| broker.node_id).collect();
            if live == ids {
                return;
            }
            assert!(self.client.now() < deadline, "{live:?} live, not {ids:?}");
            self.client.sleep(Duration::from_millis(100)).await;
        }
    }

    /// A client on a machine of its own.
    pub(crate) async fn connect(&self, node: &Node<SimEnv>) -> Client<SimEnv> {
        Client::open(&self.client, node.address).await
    }
}

/// A topic with so many partitions and replicas.
pub(crate) fn create_request(name: &str, partitions: i32, replicas: i16) -> CreateTopicsRequest {
    let topic = CreatableTopic {
        name: Str::copy_from(name),
        num_partitions: partitions,
        replication_factor: replicas,
        ..CreatableTopic::default()
    };
    CreateTopicsRequest { topics: vec![topic], timeout_ms: 10_000, ..Default::default() }
}

pub(crate) async fn create(
    client: &mut Client<SimEnv>,
    name: &str,
    partitions: i32,
    replicas: i16,
) -> CreateTopicsResponse {
    client.call(7, &create_request(name, partitions, replicas)).await
}

pub(crate) async fn metadata(client: &mut Client<SimEnv>, topics: &[&str]) -> MetadataResponse {
    let asked = topics.iter().map(|name| MetadataRequestTopic {
        name: Some(Str::copy_from(name)),
        ..MetadataRequestTopic::default()
    });
    let request = MetadataRequest {
        topics: Some(asked.collect()),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    client.call(12, &request).await
}
