//! Who votes: from the configuration (`kraft.version` 0), or from the log (KIP-853).

use bytes::Bytes;
use ottla_config::BrokerConfig;
use ottla_protocol::messages::{VotersRecord, voters_record};
use ottla_protocol::records::control::ControlRecord;
use ottla_protocol::records::{BatchError, BatchHeader, records};
use ottla_protocol::{Str, Uuid};
use ottla_raft::replica::Endpoints;
use ottla_raft::{Endpoint, NodeId, ReplicaKey, Voter, VoterSet};

use super::endpoints::{is_reachable, listener_name};
use super::metadata_log::BATCH_BYTES_MAX;

/// The `kraft.version`s this node can speak.
pub(super) const KRAFT_VERSIONS: (i16, i16) = (0, 1);

/// The voters that the configuration names. A controller that is told of nobody is a quorum of one.
pub(super) fn configured(config: &BrokerConfig, own: &Endpoints) -> VoterSet {
    let listener = listener_name(config);
    let voters = config.quorum.voters.iter().map(|voter| {
        let endpoint = Endpoint { host: voter.host.clone(), port: voter.port };
        named(voter.id, Endpoints::from([(listener.clone(), endpoint)]))
    });
    let voters = VoterSet::new(voters);
    if config.founds_quorum() {
        return VoterSet::new([named(config.node_id, own.clone())]);
    }
    voters
}

/// The first voter of a quorum that others may join. Nothing where they could not reach this node.
pub(super) fn founder(config: &BrokerConfig, me: ReplicaKey, own: &Endpoints) -> Option<VoterSet> {
    let can_be_joined = config.founds_quorum()
        && own.contains_key(&listener_name(config))
        && is_reachable(config)
        && me.directory_id.is_some();
    let voter = Voter { key: me, endpoints: own.clone(), kraft_versions: KRAFT_VERSIONS };
    can_be_joined.then(|| VoterSet::new([voter]))
}

fn named(id: i32, endpoints: Endpoints) -> Voter {
    let key = ReplicaKey { id: NodeId(id), directory_id: None };
    Voter { key, endpoints, kraft_versions: KRAFT_VERSIONS }
}

/// `controller.quorum.bootstrap.servers`, without this node itself: it has nothing to tell that it does not know.
pub(super) fn bootstrap(config: &BrokerConfig, own: &Endpoints) -> Vec<Endpoint> {
    let servers = config.quorum.bootstrap_servers.iter();
    let servers = servers.map(|server| Endpoint { host: server.host.clone(), port: server.port });
    servers.filter(|server| !own.values().any(|own| own == server)).collect()
}

/// The voters that a batch of the log sets, and at which offset; nothing for most batches.
pub(super) fn of_batch(
    header: &BatchHeader,
    batch: &Bytes,
) -> Result<Option<(i64, VoterSet)>, BatchError> {
    if !header.is_control() {
        return Ok(None);
    }
    let mut found = None;
    for record in records(header, batch, BATCH_BYTES_MAX)? {
        let record = record?;
        if let ControlRecord::KRaftVoters(voters) = ControlRecord::parse(&record)? {
            found = Some((record.offset, of_record(&voters)));
        }
    }
    Ok(found)
}

pub(super) fn of_record(record: &VotersRecord) -> VoterSet {
    VoterSet::new(record.voters.iter().map(|voter| {
        let endpoints = voter.endpoints.iter().map(|endpoint| {
            let host = endpoint.host.as_str().to_owned();
            (endpoint.name.as_str().to_owned(), Endpoint { host, port: endpoint.port })
        });
        let versions = &voter.k_raft_version_feature;
        Voter {
            key: ReplicaKey::new(NodeId(voter.voter_id), voter.voter_directory_id),
            endpoints: endpoints.collect(),
            kraft_versions: (versions.min_supported_version, versions.max_supported_version),
        }
    }))
}

pub(super) fn record_of(set: &VoterSet) -> VotersRecord {
    let voters = set.iter().map(|voter| {
        let endpoints = voter.endpoints.iter().map(|(name, at)| voters_record::Endpoint {
            name: Str::copy_from(name),
            host: Str::copy_from(&at.host),
            port: at.port,
            ..Default::default()
        });
        let (min_supported_version, max_supported_version) = voter.kraft_versions;
        voters_record::Voter {
            voter_id: voter.key.id.0,
            voter_directory_id: voter.key.directory_id.unwrap_or(Uuid::ZERO),
            endpoints: endpoints.collect(),
            k_raft_version_feature: voters_record::KRaftVersionFeature {
                min_supported_version,
                max_supported_version,
                ..Default::default()
            },
            ..Default::default()
        }
    });
    VotersRecord { voters: voters.collect(), ..VotersRecord::default() }
}
