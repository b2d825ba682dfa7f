//! `quorum-state`: Kafka's file of what a replica must never forget of elections, one JSON object. Version 0 belongs to
//! `kraft.version` 0; version 1 knows directories (KIP-853).

use ottla_protocol::Uuid;
use ottla_raft::{ElectionState, NodeId, ReplicaKey};
use serde_json::{Value, json};

/// The file's name in the folder of the metadata log.
pub(super) const FILE: &str = "quorum-state";
/// More than any such file has.
pub(super) const BYTES_MAX: u64 = 1 << 20;

/// Nobody.
const NONE: i32 = -1;

/// Reads a file of either version.
pub(super) fn parse(text: &[u8]) -> Result<ElectionState, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let version = value.get("data_version").and_then(Value::as_i64).unwrap_or(0);
    if !(0..=1).contains(&version) {
        return Err(format!("its version is {version}; this release knows 0 and 1"));
    }
    let number = |name: &str| match value.get(name) {
        None => Ok(NONE),
        Some(number) => number
            .as_i64()
            .and_then(|number| i32::try_from(number).ok())
            .ok_or_else(|| format!("{name} is no number of 32 bits")),
    };
    let node = |id: i32| (id >= 0).then_some(NodeId(id));
    let directory = match value.get("votedDirectoryId").and_then(Value::as_str) {
        None => Uuid::ZERO,
        Some(text) => text.parse().map_err(|_| "votedDirectoryId is no id".to_owned())?,
    };
    let epoch = number("leaderEpoch")?;
    if epoch < 0 {
        return Err("leaderEpoch is missing".to_owned());
    }
    Ok(ElectionState {
        epoch,
        leader: node(number("leaderId")?),
        voted: node(number("votedId")?).map(|id| ReplicaKey::new(id, directory)),
    })
}

/// Writes version 0 with the voters, or version 1 where the log says who votes (`voters` is nothing then).
pub(super) fn format(state: &ElectionState, voters: Option<&[NodeId]>) -> String {
    let id = |node: Option<NodeId>| node.map_or(NONE, |node| node.0);
    let voted = state.voted;
    let value = match voters {
        Some(voters) => json!({
            "clusterId": "",
            "leaderId": id(state.leader),
            "leaderEpoch": state.epoch,
            "votedId": id(voted.map(|voted| voted.id)),
            "appliedOffset": 0,
            "currentVoters": voters.iter().map(|id| json!({ "voterId": id.0 })).collect::<Vec<_>>(),
            "data_version": 0,
        }),
        None => {
            let directory = voted.and_then(|voted| voted.directory_id).unwrap_or(Uuid::ZERO);
            json!({
                "leaderId": id(state.leader),
                "leaderEpoch": state.epoch,
                "votedId": id(voted.map(|voted| voted.id)),
                "votedDirectoryId": directory.to_string(),
                "data_version": 1,
            })
        }
    };
    value.to_string()
}

#[cfg(test)]
mod tests;
