//! `ottla topic`: create, list, describe, delete, alter.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::{Args, Subcommand};
use ottla_client::admin::{ConfigChange, ConfigEntry, ConfigSource, Resource};
use ottla_client::cluster::{Partition, Topic};
use ottla_client::{Admin, Isolation, NewTopic, OffsetSpec, TopicPartition};
use ottla_env::os::OsEnv;
use ottla_protocol::{ErrorCode, Str};
use serde_json::{Value, json};

use super::{Connection, Failure, Format, Outcome, table};
use crate::exit::Exit;
use crate::output;

/// `ottla topic ...`
#[derive(Debug, Subcommand)]
pub(crate) enum TopicCommand {
    /// Make topics.
    Create(Create),
    /// List topics.
    #[command(alias = "ls")]
    List(List),
    /// Show a topic's partitions, offsets and configuration.
    Describe(Describe),
    /// Delete topics with all their records.
    #[command(alias = "rm")]
    Delete(Delete),
    /// Change a topic's configuration or raise its number of partitions.
    Alter(Alter),
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The names.
    #[arg(required = true)]
    names: Vec<String>,
    /// Number of partitions; the broker's num.partitions if not given.
    #[arg(short, long)]
    partitions: Option<i32>,
    /// Replicas of each partition; the broker's default.replication.factor if not given.
    #[arg(short, long, alias = "replication-factor")]
    replicas: Option<i16>,
    /// A setting of the topic; may be given many times.
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    configs: Vec<(String, String)>,
    /// A topic that is there already is no failure.
    #[arg(long)]
    if_not_exists: bool,
    /// Only say whether it could be done.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Internal topics, too.
    #[arg(short, long)]
    internal: bool,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// The names.
    #[arg(required = true)]
    names: Vec<String>,
    /// All settings, not only those that were set for the topic.
    #[arg(short, long)]
    all: bool,
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// The names.
    #[arg(required = true)]
    names: Vec<String>,
    /// A topic that is not there is no failure.
    #[arg(long)]
    if_exists: bool,
    /// Only say what would be deleted.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Args)]
pub(crate) struct Alter {
    name: String,
    /// The new, higher number of partitions.
    #[arg(short, long)]
    partitions: Option<i32>,
    /// A setting; may be given many times.
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    configs: Vec<(String, String)>,
    /// A setting that goes back to the default; may be given many times.
    #[arg(long, value_name = "KEY", alias = "delete-config")]
    unset: Vec<String>,
    /// Only say whether it could be done.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connection: Connection,
}

/// Does it.
pub(crate) fn run(command: TopicCommand) -> Exit {
    match command {
        TopicCommand::Create(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { create(&Admin::new(client), &flags).await })
        }
        TopicCommand::List(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { list(&Admin::new(client), &flags).await })
        }
        TopicCommand::Describe(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { describe(&Admin::new(client), &flags).await })
        }
        TopicCommand::Delete(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { delete(&Admin::new(client), &flags).await })
        }
        TopicCommand::Alter(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { alter(&Admin::new(client), &flags).await })
        }
    }
}

async fn create(admin: &Admin<OsEnv>, flags: &Create) -> Outcome {
    for name in &flags.names {
        let configs = flags.configs.iter().map(|(key, value)| (Str::from(key), Str::from(value)));
        let topic = NewTopic {
            partitions: flags.partitions,
            replication_factor: flags.replicas,
            configs: configs.collect(),
            ..NewTopic::new(name)
        };
        let made = admin.create_topic(&topic, flags.dry_run).await.map_err(Failure::from);
        match made {
            Ok(_) if flags.dry_run => output::print(&format!("{name} could be created\n")),
            Ok(_) => output::print(&format!("{name} created\n")),
            Err(failure) if flags.if_not_exists && failure.is(ErrorCode::TopicAlreadyExists) => {
                output::print(&format!("{name} exists\n"));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Exit::Done)
}

async fn list(admin: &Admin<OsEnv>, flags: &List) -> Outcome {
    let cluster = admin.list_topics().await?;
    let shown = |topic: &&Topic| flags.internal || !topic.is_internal;
    let topics: Vec<&Topic> = cluster.topics.values().filter(shown).collect();
    match flags.output {
        Format::Text => {
            let mut table = table::table(&["NAME", "PARTITIONS", "REPLICAS"]);
            for topic in topics {
                let counts = [topic.partitions.len(), replicas(topic)].map(|n| n.to_string());
                table.add_row([topic.name.to_string()].into_iter().chain(counts));
            }
            output::print(&table::text(&table));
        }
        Format::Json => {
            let all: Vec<Value> = topics.into_iter().map(listed_json).collect();
            output::print(&format!("{:#}\n", Value::from(all)));
        }
        Format::Jsonl => {
            topics
                .into_iter()
                .for_each(|topic| output::print(&format!("{}\n", listed_json(topic))));
        }
    }
    Ok(Exit::Done)
}

fn listed_json(topic: &Topic) -> Value {
    json!({
        "name": &*topic.name,
        "id": topic.id.to_string(),
        "internal": topic.is_internal,
        "partitions": topic.partitions.len(),
        "replicas": replicas(topic),
    })
}

fn replicas(topic: &Topic) -> usize {
    topic.partitions.first().map_or(0, |partition| partition.replicas.len())
}

/// A partition with its first offset and the one after its last.
type Row = (Partition, Option<i64>, Option<i64>);

async fn describe(admin: &Admin<OsEnv>, flags: &Describe) -> Outcome {
    let mut documents = Vec::new();
    for name in &flags.names {
        let topic = admin.describe_topic(&Str::from(name)).await?;
        let rows = rows(admin, &topic).await;
        let entries = admin.describe_configs(&Resource::Topic(topic.name.clone())).await?;
        let shown = |entry: &ConfigEntry| flags.all || entry.source == ConfigSource::Topic;
        let configs: Vec<ConfigEntry> = entries.into_iter().filter(shown).collect();
        match flags.output {
            Format::Text => output::print(&described_text(&topic, &rows, &configs)),
            Format::Json => documents.push(described_json(&topic, &rows, &configs)),
            Format::Jsonl => {
                output::print(&format!("{}\n", described_json(&topic, &rows, &configs)));
            }
        }
    }
    match documents.as_slice() {
        [] => {}
        [one] => output::print(&format!("{one:#}\n")),
        _ => output::print(&format!("{:#}\n", Value::from(documents))),
    }
    Ok(Exit::Done)
}

/// Offsets only of partitions that have a leader: the description of a topic in trouble must not
/// wait for what is in trouble.
async fn rows(admin: &Admin<OsEnv>, topic: &Topic) -> Vec<Row> {
    let led = topic.partitions.iter().filter(|partition| partition.leader >= 0);
    let led: Vec<TopicPartition> =
        led.map(|p| TopicPartition::new(topic.name.clone(), p.index)).collect();
    let mut found = Vec::new();
    for spec in [OffsetSpec::Earliest, OffsetSpec::Latest] {
        let wanted: Vec<_> = led.iter().map(|partition| (partition.clone(), spec)).collect();
        let offsets = admin.list_offsets(&wanted, Isolation::ReadUncommitted).await;
        found.push(offsets.unwrap_or_default());
    }
    let offset = |of: &BTreeMap<TopicPartition, ottla_client::offsets::FoundOffset>, index| {
        of.get(&TopicPartition::new(topic.name.clone(), index)).map(|found| found.offset)
    };
    let partitions = topic.partitions.iter();
    partitions
        .map(|p| (p.clone(), offset(&found[0], p.index), offset(&found[1], p.index)))
        .collect()
}

fn described_text(topic: &Topic, rows: &[Row], configs: &[ConfigEntry]) -> String {
    let mut text = format!("topic {}, id {}\n\n", topic.name, topic.id);
    let header = ["PARTITION", "LEADER", "EPOCH", "REPLICAS", "IN-SYNC", "START", "END"];
    let mut table = table::table(&header);
    for (partition, start, end) in rows {
        let offset = |offset: &Option<i64>| offset.map_or("-".to_owned(), |o| o.to_string());
        table.add_row([
            partition.index.to_string(),
            if partition.leader < 0 { "none".to_owned() } else { partition.leader.to_string() },
            partition.leader_epoch.to_string(),
            numbers(&partition.replicas),
            numbers(&partition.isr),
            offset(start),
            offset(end),
        ]);
    }
    text.push_str(&table::text(&table));
    if !configs.is_empty() {
        let mut table = table::table(&["SETTING", "VALUE", "SOURCE"]);
        for entry in configs {
            let value = entry.value.as_deref().unwrap_or("-");
            table.add_row([&*entry.name, value, &format!("{:?}", entry.source)]);
        }
        let _ = write!(text, "\n{}", table::text(&table));
    }
    text
}

fn described_json(topic: &Topic, rows: &[Row], configs: &[ConfigEntry]) -> Value {
    let partitions = rows.iter().map(|(partition, start, end)| {
        json!({
            "partition": partition.index,
            "leader": partition.leader,
            "leader_epoch": partition.leader_epoch,
            "replicas": partition.replicas,
            "isr": partition.isr,
            "start_offset": start,
            "end_offset": end,
        })
    });
    let configs = configs.iter().map(|entry| {
        let name = entry.name.to_string();
        (name, json!({ "value": entry.value.as_deref(), "source": format!("{:?}", entry.source) }))
    });
    json!({
        "name": &*topic.name,
        "id": topic.id.to_string(),
        "internal": topic.is_internal,
        "partitions": partitions.collect::<Vec<_>>(),
        "configs": Value::Object(configs.collect()),
    })
}

fn numbers(ids: &[i32]) -> String {
    ids.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

async fn delete(admin: &Admin<OsEnv>, flags: &Delete) -> Outcome {
    for name in &flags.names {
        let name = Str::from(name);
        let deleted = if flags.dry_run {
            admin.describe_topic(&name).await.map(|_| ())
        } else {
            admin.delete_topic(&name).await
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

async fn alter(admin: &Admin<OsEnv>, flags: &Alter) -> Outcome {
    let name = Str::from(&flags.name);
    let set = flags.configs.iter();
    let set = set.map(|(key, value)| ConfigChange::Set(Str::from(key), Str::from(value)));
    let unset = flags.unset.iter().map(|key| ConfigChange::Delete(Str::from(key)));
    let changes: Vec<ConfigChange> = set.chain(unset).collect();
    if changes.is_empty() && flags.partitions.is_none() {
        let text = "nothing to change: give --partitions, --config or --unset";
        return Err(Failure::Input(text.to_owned()));
    }
    // The one that cannot be taken back comes last.
    if !changes.is_empty() {
        let resource = Resource::Topic(name.clone());
        admin.alter_configs(&resource, &changes, flags.dry_run).await?;
    }
    if let Some(count) = flags.partitions {
        admin.create_partitions(&name, count, flags.dry_run).await?;
    }
    let done = if flags.dry_run { "could be changed" } else { "changed" };
    output::print(&format!("{name} {done}\n"));
    Ok(Exit::Done)
}

/// `KEY=VALUE`; the value may be empty.
pub(super) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("\"{text}\" is not KEY=VALUE")),
    }
}
