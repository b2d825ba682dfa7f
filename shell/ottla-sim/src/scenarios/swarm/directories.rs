//! In which of its directories a node says that each replica is (KIP-113): asked on the wire.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use ottla_env::Env;
use ottla_protocol::messages::alter_replica_log_dirs_request::{
    AlterReplicaLogDir, AlterReplicaLogDirTopic,
};
use ottla_protocol::messages::{AlterReplicaLogDirsRequest, DescribeLogDirsRequest};
use ottla_protocol::{ErrorCode, Str};

use crate::wire::{Connection, WireError};

const DESCRIBE_NEWEST: i16 = 4;
const ALTER_NEWEST: i16 = 2;

/// A partition, by name.
pub(super) type Named = (Str, i32);

/// What a node says of its directories.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Directories {
    /// Those that work.
    pub(super) online: Vec<Str>,
    /// Where each replica is; in one directory, if all is well.
    pub(super) replicas: BTreeMap<Named, BTreeSet<Str>>,
    /// Where a copy is that is to take its place.
    pub(super) copies: BTreeMap<Named, BTreeSet<Str>>,
}

/// Asks a node.
pub(super) async fn describe<E: Env>(
    env: &E,
    address: SocketAddr,
) -> Result<Directories, WireError> {
    let mut connection = Connection::open(env, address).await?;
    let all = DescribeLogDirsRequest { topics: None, ..DescribeLogDirsRequest::default() };
    let answer = connection.call(&all, DESCRIBE_NEWEST).await?;
    let mut found = Directories::default();
    for result in answer.results {
        if result.error_code == 0 {
            found.online.push(result.log_dir.clone());
        }
        for topic in result.topics {
            for partition in topic.partitions {
                let named = (topic.name.clone(), partition.partition_index);
                let is_copy = partition.is_future_key;
                let places = if is_copy { &mut found.copies } else { &mut found.replicas };
                places.entry(named).or_default().insert(result.log_dir.clone());
            }
        }
    }
    Ok(found)
}

/// Has a node move its replica of a partition to a directory, or keep it there.
pub(super) async fn alter<E: Env>(
    env: &E,
    address: SocketAddr,
    (topic, index): Named,
    path: Str,
) -> Result<ErrorCode, WireError> {
    let mut connection = Connection::open(env, address).await?;
    let topic =
        AlterReplicaLogDirTopic { name: topic, partitions: vec![index], ..Default::default() };
    let dir = AlterReplicaLogDir { path, topics: vec![topic], ..Default::default() };
    let request = AlterReplicaLogDirsRequest { dirs: vec![dir], ..Default::default() };
    let answer = connection.call(&request, ALTER_NEWEST).await?;
    let mut partitions = answer.results.iter().flat_map(|topic| &topic.partitions);
    let code = partitions.next().map_or(-1, |partition| partition.error_code);
    Ok(ErrorCode::from_code_or_unknown(code))
}
