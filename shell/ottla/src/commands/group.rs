//! `ottla group`: list, describe, seek, delete.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use ottla_client::admin::{GroupDescription, GroupListing};
use ottla_client::{Admin, Isolation, OffsetSpec, TopicPartition};
use ottla_env::Env;
use ottla_env::os::OsEnv;
use ottla_protocol::{ErrorCode, Str};
use serde_json::{Value, json};

use super::position::{self, Position};
use super::{Connection, Failure, Format, Outcome, table};
use crate::exit::Exit;
use crate::output;

/// `ottla group ...`
#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// List groups.
    #[command(alias = "ls")]
    List(List),
    /// Show a group's members, offsets and lag.
    Describe(Describe),
    /// Move a group's committed offsets; the group must have no members.
    Seek(Seek),
    /// Delete groups with their offsets; they must have no members.
    #[command(alias = "rm")]
    Delete(Delete),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// The group.
    group: String,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Seek {
    /// The group.
    group: String,
    /// Where to: beginning, end, an offset, -N (N before the end), @time.
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    to: Position,
    /// Only this topic, or TOPIC:PARTITION; may be given many times. All that the group has
    /// committed if not given.
    #[arg(short, long = "topic", value_name = "TOPIC[:PARTITION]")]
    topics: Vec<String>,
    /// Only show what would be committed.
    #[arg(long)]
    dry_run: bool,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The groups.
    #[arg(required = true)]
    groups: Vec<String>,
    /// A group that is not there is no failure.
    #[arg(long)]
    if_exists: bool,
    /// Only say what would be deleted.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Does it.
pub(crate) fn run(command: GroupCommand) -> Exit {
    match command {
        GroupCommand::List(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { list(&Admin::new(client), &flags).await })
        }
        GroupCommand::Describe(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { describe(&Admin::new(client), &flags).await })
        }
        GroupCommand::Seek(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { seek(&Admin::new(client), &flags).await })
        }
        GroupCommand::Delete(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { delete(&Admin::new(client), &flags).await })
        }
    }
}

async fn list(admin: &Admin<OsEnv>, flags: &List) -> Outcome {
    let groups = admin.list_groups().await?;
    let to_json = |listed: &GroupListing| {
        json!({
            "group": &*listed.group,
            "type": &*listed.kind,
            "protocol_type": &*listed.protocol_type,
            "state": &*listed.state,
            "coordinator": listed.coordinator,
        })
    };
    match flags.output {
        Format::Text => {
            let mut table = table::table(&["GROUP", "TYPE", "STATE", "COORDINATOR"]);
            for listed in &groups {
                let coordinator = listed.coordinator.to_string();
                table.add_row([&*listed.group, &*listed.kind, &*listed.state, &coordinator]);
            }
            output::print(&table::text(&table));
        }
        Format::Json => {
            let all: Vec<Value> = groups.iter().map(to_json).collect();
            output::print(&format!("{:#}\n", Value::from(all)));
        }
        Format::Jsonl => {
            groups.iter().for_each(|listed| output::print(&format!("{}\n", to_json(listed))));
        }
    }
    Ok(Exit::Done)
}

/// A partition that the group has to do with.
struct Row {
    partition: TopicPartition,
    committed: Option<i64>,
    end: Option<i64>,
    /// Index among the members.
    member: Option<usize>,
}

impl Row {
    fn lag(&self) -> Option<i64> {
        Some((self.end? - self.committed?).max(0))
    }
}

async fn describe(admin: &Admin<OsEnv>, flags: &Describe) -> Outcome {
    let group = Str::from(&flags.group);
    let described = admin.describe_group(&group).await?;
    let rows = rows(admin, &described).await?;
    // Brokers before 3.9 describe a group that is not there as dead.
    if described.state == "Dead" && rows.is_empty() {
        let doing = format!("describe group \"{group}\"");
        let code = ErrorCode::GroupIdNotFound;
        return Err(ottla_client::Error::Answer { code, doing, message: None }.into());
    }
    match flags.output {
        Format::Text => output::print(&described_text(&described, &rows)),
        Format::Json => output::print(&format!("{:#}\n", described_json(&described, &rows))),
        Format::Jsonl => output::print(&format!("{}\n", described_json(&described, &rows))),
    }
    Ok(Exit::Done)
}

/// What is committed, and what is assigned and not yet committed.
async fn rows(admin: &Admin<OsEnv>, described: &GroupDescription) -> Outcome<Vec<Row>> {
    let committed = admin.group_offsets(&described.group).await?;
    let assigned = described.members.iter().enumerate().flat_map(|(index, member)| {
        member.assignment.iter().map(move |partition| (partition.clone(), index))
    });
    let assigned: BTreeMap<TopicPartition, usize> = assigned.collect();
    let all: BTreeSet<TopicPartition> = committed.keys().chain(assigned.keys()).cloned().collect();
    let mut rows = Vec::with_capacity(all.len());
    for partition in all {
        // A topic may have been deleted since: the rest is shown all the same.
        let wanted = [(partition.clone(), OffsetSpec::Latest)];
        let end = admin.list_offsets(&wanted, Isolation::ReadUncommitted).await;
        rows.push(Row {
            committed: committed.get(&partition).map(|place| place.offset),
            end: end.ok().and_then(|found| found.get(&partition).map(|found| found.offset)),
            member: assigned.get(&partition).copied(),
            partition,
        });
    }
    Ok(rows)
}

fn described_text(described: &GroupDescription, rows: &[Row]) -> String {
    let total: i64 = rows.iter().filter_map(Row::lag).sum();
    let protocol = if described.protocol.is_empty() { "-" } else { &described.protocol };
    let mut text = format!(
        "group {}, state {}, assignor {protocol}, coordinator {}, members {}, lag {total}\n",
        described.group,
        described.state,
        described.coordinator,
        described.members.len(),
    );
    if rows.is_empty() {
        return text;
    }
    let header = ["TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "MEMBER", "CLIENT", "HOST"];
    let mut table = table::table(&header);
    for row in rows {
        let number = |number: Option<i64>| number.map_or("-".to_owned(), |n| n.to_string());
        let member = row.member.map(|index| &described.members[index]);
        table.add_row([
            row.partition.topic.to_string(),
            row.partition.partition.to_string(),
            number(row.committed),
            number(row.end),
            number(row.lag()),
            member.map_or("-".to_owned(), |member| member.member_id.to_string()),
            member.map_or("-".to_owned(), |member| member.client_id.to_string()),
            member.map_or("-".to_owned(), |member| member.host.to_string()),
        ]);
    }
    text.push('\n');
    text.push_str(&table::text(&table));
    text
}

fn described_json(described: &GroupDescription, rows: &[Row]) -> Value {
    let members = described.members.iter().map(|member| {
        json!({
            "member_id": &*member.member_id,
            "instance_id": member.instance_id.as_deref(),
            "client_id": &*member.client_id,
            "host": &*member.host,
            "partitions": member.assignment.iter().map(partition_json).collect::<Vec<_>>(),
        })
    });
    let partitions = rows.iter().map(|row| {
        json!({
            "topic": &*row.partition.topic,
            "partition": row.partition.partition,
            "committed": row.committed,
            "end_offset": row.end,
            "lag": row.lag(),
            "member_id": row.member.map(|index| described.members[index].member_id.to_string()),
        })
    });
    json!({
        "group": &*described.group,
        "state": &*described.state,
        "protocol_type": &*described.protocol_type,
        "assignor": &*described.protocol,
        "coordinator": described.coordinator,
        "members": members.collect::<Vec<_>>(),
        "partitions": partitions.collect::<Vec<_>>(),
    })
}

fn partition_json(partition: &TopicPartition) -> Value {
    json!({ "topic": &*partition.topic, "partition": partition.partition })
}

async fn seek(admin: &Admin<OsEnv>, flags: &Seek) -> Outcome {
    let group = Str::from(&flags.group);
    let before = admin.group_offsets(&group).await?;
    let partitions = if flags.topics.is_empty() {
        before.keys().cloned().collect()
    } else {
        named_partitions(admin, &flags.topics).await?
    };
    if partitions.is_empty() {
        let text = format!("group {group} has committed nothing: name topics with --topic");
        return Err(Failure::Input(text));
    }
    let now_ms = admin.client().env().wall_ms();
    let isolation = Isolation::ReadUncommitted;
    let to = position::find(admin, &partitions, flags.to, isolation, now_ms).await?;
    if !flags.dry_run {
        admin.set_group_offsets(&group, &to).await?;
    }
    match flags.output {
        Format::Text => {
            let mut table = table::table(&["TOPIC", "PARTITION", "BEFORE", "AFTER"]);
            for (partition, offset) in &to {
                let before = before.get(partition).map_or("-".to_owned(), |p| p.offset.to_string());
                let index = partition.partition.to_string();
                table.add_row([&*partition.topic, &index, &before, &offset.to_string()]);
            }
            output::print(&table::text(&table));
        }
        Format::Json | Format::Jsonl => {
            let all = to.iter().map(|(partition, offset)| {
                let before = before.get(partition).map(|place| place.offset);
                let topic = &*partition.topic;
                json!({ "topic": topic, "partition": partition.partition, "before": before, "after": offset })
            });
            output::print(&format!("{:#}\n", Value::from(all.collect::<Vec<_>>())));
        }
    }
    if flags.dry_run {
        output::complain("nothing was committed: this was a dry run");
    }
    Ok(Exit::Done)
}

/// `topic` stands for all its partitions, `topic:3` for one.
async fn named_partitions(admin: &Admin<OsEnv>, names: &[String]) -> Outcome<Vec<TopicPartition>> {
    let mut found = BTreeSet::new();
    for name in names {
        let (topic, index) = match name.rsplit_once(':') {
            None => (name.as_str(), None),
            Some((topic, index)) => {
                let number = index.parse::<i32>();
                let bad = |_| Failure::Input(format!("\"{name}\" is not TOPIC or TOPIC:PARTITION"));
                (topic, Some(number.map_err(bad)?))
            }
        };
        let described = admin.describe_topic(&Str::copy_from(topic)).await?;
        let indexes = described.partitions.iter().map(|partition| partition.index);
        let wanted = indexes.filter(|known| index.is_none_or(|index| index == *known));
        let before = found.len();
        found.extend(wanted.map(|index| TopicPartition::new(described.name.clone(), index)));
        if index.is_some() && found.len() == before {
            return Err(Failure::Input(format!("\"{name}\": no such partition, or named twice")));
        }
    }
    Ok(found.into_iter().collect())
}

async fn delete(admin: &Admin<OsEnv>, flags: &Delete) -> Outcome {
    for name in &flags.groups {
        let group = Str::from(name);
        let deleted = if flags.dry_run {
            admin.describe_group(&group).await.map(|_| ())
        } else {
            admin.delete_group(&group).await
        };
        match deleted.map_err(Failure::from) {
            Ok(()) if flags.dry_run => output::print(&format!("{name} would be deleted\n")),
            Ok(()) => output::print(&format!("{name} deleted\n")),
            Err(failure) if flags.if_exists && failure.is_not_found() => {
                output::print(&format!("{name} is not there\n"));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Exit::Done)
}
