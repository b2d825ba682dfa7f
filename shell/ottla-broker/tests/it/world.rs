//! A broker, a client that speaks frames, and the two worlds they live in.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use ottla_broker::{Broker, StartError};
use ottla_config::{Layers, Setting};
use ottla_env::os::{OsEnv, run};
use ottla_env::sim::{Sim, SimEnv};
use ottla_env::{Disk, Env};
use ottla_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use ottla_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use ottla_protocol::messages::produce_response::PartitionProduceResponse;
use ottla_protocol::messages::{
    CreateTopicsRequest, ProduceRequest, RequestHeader, ResponseHeader,
};
use ottla_protocol::records::{BatchBuilder, BatchOptions};
use ottla_protocol::{Decoder, Encoder, Message, Request, Str};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Nothing in a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a node lives: its world, its address, its folder.
#[derive(Clone)]
pub(crate) struct Place<E: Env> {
    pub(crate) env: E,
    pub(crate) ip: IpAddr,
    pub(crate) folder: PathBuf,
}

/// Runs one scenario on the operating system and in simulation.
macro_rules! everywhere {
    ($scenario:path) => {{
        crate::world::on_os(|place| $scenario(place));
        crate::world::on_sim(|place| $scenario(place));
    }};
}

/// Runs a scenario on loopback and in a folder of its own.
pub(crate) fn on_os<F: Future<Output = ()>>(scenario: impl FnOnce(Place<OsEnv>) -> F) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder =
        std::env::temp_dir().join(format!("ottla-broker-it-{}-{number}", std::process::id()));
    let kept = folder.clone();
    let ip = IpAddr::V4(Ipv4Addr::LOCALHOST);
    run(Some(2), async move |env| {
        scenario(Place { env: env.clone(), ip, folder }).await;
        let _ = env.disk().remove_dir_all(&kept);
    })
    .unwrap();
}

/// Runs a scenario in a simulated world.
pub(crate) fn on_sim<F: Future<Output = ()>>(scenario: impl FnOnce(Place<SimEnv>) -> F) {
    let sim = Sim::new(7);
    let env = sim.node("node");
    let place = Place { ip: env.ip(), env, folder: Path::new("/data").to_path_buf() };
    sim.block_on(scenario(place));
}

impl<E: Env> Place<E> {
    /// Starts a node with these settings beside the usual ones.
    pub(crate) async fn try_start(&self, settings: &[(&str, &str)]) -> Result<Node<E>, StartError> {
        let usual = [
            ("listeners".to_owned(), format!("PLAINTEXT://{}:0", self.ip)),
            ("log.dirs".to_owned(), self.folder.display().to_string()),
        ];
        let usual = usual.into_iter().map(|(key, value)| Setting::flag(key, value));
        let own = settings.iter().map(|(key, value)| Setting::flag(*key, *value));
        let broker = Broker::start(self.env.clone(), Layers::new(usual.chain(own))).await?;
        let address = broker.local_addrs()[0].1;
        Ok(Node { env: self.env.clone(), broker, address })
    }

    pub(crate) async fn start(&self, settings: &[(&str, &str)]) -> Node<E> {
        self.try_start(settings).await.unwrap_or_else(|error| panic!("{error}"))
    }
}

/// A running broker.
pub(crate) struct Node<E: Env> {
    pub(crate) env: E,
    pub(crate) broker: Broker<E>,
    pub(crate) address: SocketAddr,
}

impl<E: Env> Node<E> {
    pub(crate) async fn connect(&self) -> Client<E> {
        Client::open(&self.env, self.address).await
    }

    /// Makes a topic with one partition.
    pub(crate) async fn create_topic(&self, name: &str, configs: &[(&str, &str)]) {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: Str::copy_from(name),
            value: Some(Str::copy_from(value)),
            ..CreatableTopicConfig::default()
        };
        let topic = CreatableTopic {
            name: Str::copy_from(name),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..CreatableTopic::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 5000, ..Default::default() };
        let response = self.connect().await.call(7, &request).await;
        let result = &response.topics[0];
        assert_eq!(result.error_code, 0, "{:?}", result.error_message);
    }
}

/// One connection.
pub(crate) struct Client<E: Env> {
    env: E,
    stream: E::Stream,
    correlation_id: i32,
}

impl<E: Env> Client<E> {
    pub(crate) async fn open(env: &E, address: SocketAddr) -> Client<E> {
        Self::try_open(env, address).await.unwrap()
    }

    pub(crate) async fn try_open(env: &E, address: SocketAddr) -> std::io::Result<Self> {
        let stream = env.connect(address).await?;
        Ok(Client { env: env.clone(), stream, correlation_id: 0 })
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        // The node may have closed already; what it then answers is what the test looks at.
        let _ = self.stream.write_all(bytes).await;
    }

    /// Sends a request without waiting for the answer.
    pub(crate) async fn post<R: Request>(&mut self, version: i16, request: &R) -> i32 {
        self.correlation_id += 1;
        let header = RequestHeader {
            request_api_key: R::KEY.code(),
            request_api_version: version,
            correlation_id: self.correlation_id,
            client_id: Some(Str::from_static("it")),
            ..RequestHeader::default()
        };
        let mut encoder = Encoder::new();
        header.encode(&mut encoder, R::KEY.request_header_version(version)).unwrap();
        request.encode(&mut encoder, version).unwrap();
        self.send(&framed(&encoder.into_bytes())).await;
        self.correlation_id
    }

    /// The next answer, which must be to `correlation_id`.
    pub(crate) async fn answer<R: Request>(
        &mut self,
        version: i16,
        correlation_id: i32,
    ) -> R::Response {
        let frame = self.frame().await.expect("the node answers");
        let mut decoder = Decoder::new(frame);
        let header_version = R::KEY.response_header_version(version);
        let header = ResponseHeader::decode(&mut decoder, header_version).unwrap();
        assert_eq!(header.correlation_id, correlation_id);
        let response = R::Response::decode(&mut decoder, version).unwrap();
        decoder.finish().unwrap();
        response
    }

    /// The same from a node that may die meanwhile.
    pub(crate) async fn try_answer<R: Request>(
        &mut self,
        version: i16,
        correlation_id: i32,
    ) -> Option<R::Response> {
        let frame = self.frame().await?;
        let mut decoder = Decoder::new(frame);
        let header_version = R::KEY.response_header_version(version);
        let header = ResponseHeader::decode(&mut decoder, header_version).unwrap();
        assert_eq!(header.correlation_id, correlation_id);
        Some(R::Response::decode(&mut decoder, version).unwrap())
    }

    pub(crate) async fn call<R: Request>(&mut self, version: i16, request: &R) -> R::Response {
        let correlation_id = self.post(version, request).await;
        self.answer::<R>(version, correlation_id).await
    }

    /// The same, where the node may die or close instead of answering.
    pub(crate) async fn try_call<R: Request>(
        &mut self,
        version: i16,
        request: &R,
    ) -> Option<R::Response> {
        let _correlation_id = self.post(version, request).await;
        let mut decoder = Decoder::new(self.frame().await?);
        let header_version = R::KEY.response_header_version(version);
        ResponseHeader::decode(&mut decoder, header_version).ok()?;
        R::Response::decode(&mut decoder, version).ok()
    }

    /// The next frame; nothing once the node has closed the connection.
    pub(crate) async fn frame(&mut self) -> Option<Bytes> {
        let stream = &mut self.stream;
        let frame = async {
            let length = stream.read_i32().await.ok()?;
            let mut frame = BytesMut::zeroed(usize::try_from(length).unwrap());
            stream.read_exact(&mut frame).await.ok()?;
            Some(frame.freeze())
        };
        self.env.timeout(PATIENCE, frame).await.expect("the node answers or closes in time")
    }

    pub(crate) async fn is_closed(&mut self) -> bool {
        self.frame().await.is_none()
    }

    /// Produces to partition 0 of a topic with acks=-1.
    pub(crate) async fn produce(
        &mut self,
        version: i16,
        topic: &str,
        records: Bytes,
    ) -> PartitionProduceResponse {
        let response = self.call(version, &produce_request(topic, records)).await;
        response.responses[0].partition_responses[0].clone()
    }
}

/// A request for partition 0.
pub(crate) fn produce_request(topic: &str, records: Bytes) -> ProduceRequest {
    let partition = PartitionProduceData { index: 0, records: Some(records), ..Default::default() };
    let topic = TopicProduceData {
        name: Str::copy_from(topic),
        partition_data: vec![partition],
        ..TopicProduceData::default()
    };
    ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 5000,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    }
}

/// A batch of these values.
pub(crate) fn batch(options: BatchOptions, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(options);
    for (at, value) in values.iter().enumerate() {
        builder.push(1_700_000_000_000 + at as i64, None, Some(value.as_bytes()), &[]);
    }
    builder.build()
}

pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let mut frame = i32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}
