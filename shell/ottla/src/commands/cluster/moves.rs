//! `ottla cluster rebalance` and `decommission`: has replicas moved, a few at a time, and says how far
//! it is. The cluster moves them; who stops looking stops only the moves that have not begun.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use ottla_client::admin::{ConfigChange, Election, QuorumReplica, Resource};
use ottla_client::{Admin, TopicPartition};
use ottla_env::Env;
use ottla_env::os::OsEnv;
use ottla_protocol::{ErrorCode, Str};
use serde_json::Value;

use super::plan::{self, Move};
use super::{Connection, Failure, Format, Outcome};
use crate::exit::Exit;
use crate::output;

/// How often moves under way are looked at.
const LOOK_PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug, Args)]
pub(crate) struct Rebalance {
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Decommission {
    /// The node that is to leave.
    id: i32,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    pub(super) connection: Connection,
}

#[derive(Debug, Args)]
struct How {
    /// Only say what would be moved.
    #[arg(long)]
    dry_run: bool,
    /// Most bytes a second that each broker sends, and fetches, for it.
    #[arg(long, value_name = "BYTES")]
    throttle: Option<u64>,
    /// Replicas that are copied at a time.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    at_once: u32,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn rebalance(admin: &Admin<OsEnv>, flags: &Rebalance) -> Outcome {
    let nobody = BTreeSet::new();
    if flags.how.dry_run {
        return show(admin, &nobody, flags.how.output).await;
    }
    let copied = carry_out(admin, &nobody, &flags.how).await?;
    admin.elect_leaders(Election::Preferred, None).await?;
    output::print(&format!("balanced: {copied} replicas copied\n"));
    Ok(Exit::Done)
}

pub(super) async fn decommission(admin: &Admin<OsEnv>, flags: &Decommission) -> Outcome {
    let id = flags.id;
    let brokers = admin.describe_brokers().await?.brokers;
    let broker = brokers.iter().find(|broker| broker.id == id);
    let voters = admin.describe_quorum().await.map(|quorum| quorum.voters).unwrap_or_default();
    let voter = voters.iter().find(|voter| voter.id == id);
    if broker.is_none() && voter.is_none() {
        return Err(Failure::NotFound(format!("no node {id} is registered as a broker")));
    }
    let leaving = BTreeSet::from([id]);
    if flags.how.dry_run {
        return show(admin, &leaving, flags.how.output).await;
    }
    let copied = carry_out(admin, &leaving, &flags.how).await?;
    if holds_replicas(admin, id).await? {
        let text = format!(
            "node {id} still holds replicas: the other nodes are too few for them; add a node, or \
             give its topics fewer replicas"
        );
        return Err(Failure::Other(text));
    }
    if let Some(voter) = voter {
        no_longer_votes(admin, voter).await?;
        output::complain(&format!("node {id} votes in the metadata quorum no more"));
    }
    if broker.is_some_and(|broker| !broker.fenced) {
        output::print(&format!(
            "node {id} holds nothing any more: {copied} replicas copied; stop it, then run this \
             again to forget it\n"
        ));
        return Ok(Exit::Done);
    }
    if broker.is_some() {
        forget(admin, id).await?;
    }
    output::print(&format!("node {id} has left: {copied} replicas copied\n"));
    Ok(Exit::Done)
}

/// A voter that is gone for good counts against the majority: it is taken out of the quorum first.
async fn no_longer_votes(admin: &Admin<OsEnv>, voter: &QuorumReplica) -> Outcome<()> {
    let id = voter.id;
    match admin.remove_voter(id, voter.directory_id).await {
        Err(error) if error.code() == Some(ErrorCode::VoterNotFound) => Ok(()),
        Err(error) if error.code() == Some(ErrorCode::UnsupportedVersion) => {
            Err(Failure::Other(format!(
                "node {id} holds no replicas any more, and is still a voter of the metadata quorum: its \
                 voters cannot change while kraft.version is 0. Raise it with `kafka-features.sh \
                 --bootstrap-server HOST:PORT upgrade --feature kraft.version=1` and run this again, or \
                 take the node out of controller.quorum.voters of every node, restart them, and run \
                 this again"
            )))
        }
        outcome => Ok(outcome?),
    }
}

async fn forget(admin: &Admin<OsEnv>, id: i32) -> Outcome<()> {
    match admin.unregister_broker(id).await {
        Err(error) if error.code() == Some(ErrorCode::BrokerIdNotRegistered) => Ok(()),
        outcome => Ok(outcome?),
    }
}

async fn holds_replicas(admin: &Admin<OsEnv>, id: i32) -> Outcome<bool> {
    let topics = admin.list_topics().await?;
    let mut partitions = topics.topics.values().flat_map(|topic| &topic.partitions);
    Ok(partitions.any(|partition| partition.replicas.contains(&id)))
}

/// All of it, as if there were no limit.
async fn show(admin: &Admin<OsEnv>, leaving: &BTreeSet<i32>, format: Format) -> Outcome {
    let moves = plan::propose(admin, leaving, usize::MAX).await?;
    output::print(&match format {
        Format::Text if moves.is_empty() => "nothing to move\n".to_owned(),
        Format::Text => plan::text(&moves),
        Format::Json => {
            format!("{:#}\n", Value::from(moves.iter().map(plan::json).collect::<Vec<_>>()))
        }
        Format::Jsonl => {
            moves.iter().map(|proposed| format!("{}\n", plan::json(proposed))).collect()
        }
    });
    Ok(Exit::Done)
}

/// Moves until nothing is left to move; the replicas that were copied.
async fn carry_out(admin: &Admin<OsEnv>, leaving: &BTreeSet<i32>, how: &How) -> Outcome<usize> {
    let all = plan::propose(admin, leaving, usize::MAX).await?;
    let total: usize = all.iter().map(|proposed| proposed.copies).sum();
    let topics: BTreeSet<Str> =
        all.iter().map(|proposed| proposed.partition.topic.clone()).collect();
    if let Some(rate) = how.throttle.filter(|_| total > 0) {
        throttle(admin, &topics, Some(rate)).await?;
    }
    let moved = move_all(admin, leaving, how.at_once as usize, total).await;
    if how.throttle.is_some() && total > 0 {
        throttle(admin, &topics, None).await?;
    }
    moved
}

async fn move_all(
    admin: &Admin<OsEnv>,
    leaving: &BTreeSet<i32>,
    at_once: usize,
    total: usize,
) -> Outcome<usize> {
    let mut copied = 0;
    loop {
        let round = plan::propose(admin, leaving, at_once).await?;
        if round.is_empty() {
            return Ok(copied);
        }
        begin(admin, &round).await?;
        until_done(admin, &round, |left| {
            let done = copied + round.iter().map(|m| m.copies).sum::<usize>().saturating_sub(left);
            output::complain(&format!("copied {done} of {} replicas", total.max(done)));
        })
        .await?;
        copied += round.iter().map(|proposed| proposed.copies).sum::<usize>();
    }
}

async fn begin(admin: &Admin<OsEnv>, round: &[Move]) -> Outcome<()> {
    let wanted =
        round.iter().map(|proposed| (proposed.partition.clone(), Some(proposed.to.clone())));
    let wanted: BTreeMap<TopicPartition, Option<Vec<i32>>> = wanted.collect();
    for fate in admin.alter_reassignments(&wanted).await?.into_values() {
        fate?;
    }
    Ok(())
}

/// Until none of these moves is under way; `tell` hears how many replicas are left, when that changes.
async fn until_done(
    admin: &Admin<OsEnv>,
    round: &[Move],
    mut tell: impl FnMut(usize),
) -> Outcome<()> {
    let mut before = usize::MAX;
    loop {
        let moving = admin.list_reassignments().await?;
        let mine = round.iter().filter_map(|proposed| moving.get(&proposed.partition));
        let (mut under_way, mut left) = (false, 0);
        for reassignment in mine {
            under_way = true;
            left += reassignment.adding.len();
        }
        if left != before {
            before = left;
            tell(left);
        }
        if !under_way {
            return Ok(());
        }
        admin.client().env().sleep(LOOK_PAUSE).await;
    }
}

/// Puts a rate on the copies of these topics, or takes it away (KIP-73).
async fn throttle(admin: &Admin<OsEnv>, topics: &BTreeSet<Str>, rate: Option<u64>) -> Outcome<()> {
    let change = |key: &'static str, value: Option<String>| match value {
        Some(value) => ConfigChange::Set(Str::from_static(key), Str::from(value)),
        None => ConfigChange::Delete(Str::from_static(key)),
    };
    let rate = rate.map(|rate| rate.to_string());
    let every = rate.is_some().then(|| "*".to_owned());
    let of_topic = [
        change("leader.replication.throttled.replicas", every.clone()),
        change("follower.replication.throttled.replicas", every),
    ];
    for topic in topics {
        admin.alter_configs(&Resource::Topic(topic.clone()), &of_topic, false).await?;
    }
    let of_brokers = [
        change("leader.replication.throttled.rate", rate.clone()),
        change("follower.replication.throttled.rate", rate),
    ];
    admin.alter_configs(&Resource::Broker(None), &of_brokers, false).await?;
    Ok(())
}
