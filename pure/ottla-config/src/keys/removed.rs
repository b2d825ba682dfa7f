//! Keys that Kafka once had, or that belong to another product, and still stand in people's files.
//! They are read over, with a note; nothing else knows them.

/// Why a key that is no longer Kafka's is read over; nothing for a key that is simply unknown.
pub fn removed(name: &str) -> Option<&'static str> {
    let exact = REMOVED.iter().find(|(known, _)| *known == name);
    let by_prefix = || PREFIXES.iter().find(|(prefix, _)| name.starts_with(prefix));
    exact.or_else(by_prefix).map(|(_, reason)| *reason)
}

const NO_ZOOKEEPER: &str = "there is no ZooKeeper: Ottla keeps the cluster's metadata itself";
const GONE: &str = "removed in Kafka 4.0";
const RUNTIME: &str = "it belongs to another product";

const PREFIXES: &[(&str, &str)] = &[
    ("zookeeper.", NO_ZOOKEEPER),
    ("zk.", NO_ZOOKEEPER),
    ("confluent.", RUNTIME),
    ("cruise.control.", RUNTIME),
    ("password.encoder.", GONE),
    ("rlmm.config.", "tiered storage is not served by this version"),
    ("rsm.config.", "tiered storage is not served by this version"),
];

const REMOVED: &[(&str, &str)] = &[
    ("advertised.host.name", GONE),
    ("advertised.port", GONE),
    ("host.name", GONE),
    ("port", GONE),
    ("broker.id.generation.enable", GONE),
    ("reserved.broker.max.id", GONE),
    ("control.plane.listener.name", GONE),
    ("delegation.token.master.key", GONE),
    ("inter.broker.protocol.version", GONE),
    ("leader.imbalance.per.broker.percentage", GONE),
    ("log.message.downconversion.enable", GONE),
    ("log.message.format.version", GONE),
    ("log.message.timestamp.difference.max.ms", GONE),
    ("metadata.log.max.record.age.ms", GONE),
    ("max.connections.creation.rate", GONE),
    ("offsets.commit.required.acks", GONE),
    ("quota.consumer.default", GONE),
    ("quota.producer.default", GONE),
    ("auto.include.jmx.reporter", GONE),
    ("zookeeper.connect", NO_ZOOKEEPER),
];
