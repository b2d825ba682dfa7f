//! The words of the command line. Does nothing with them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::commands::cluster::ClusterCommand;
use crate::commands::consume::Consume;
use crate::commands::group::GroupCommand;
use crate::commands::perf::PerfCommand;
use crate::commands::produce::Produce;
use crate::commands::topic::TopicCommand;

/// Apache Kafka, rebuilt in Rust: broker, controller and command-line tool.
#[derive(Debug, Parser)]
#[command(name = "ottla", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) server: ServerFlags,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node (what `ottla` alone does, too).
    Server(ServerFlags),
    /// Create, list, describe, delete and alter topics.
    #[command(subcommand, alias = "topics")]
    Topic(TopicCommand),
    /// Send the lines of standard input as records.
    Produce(Produce),
    /// Write the records of topics to standard output.
    Consume(Consume),
    /// List, describe, move and delete consumer groups.
    #[command(subcommand, alias = "groups")]
    Group(GroupCommand),
    /// Run a cluster on this machine, look at one, move its leaders and replicas.
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Measure how fast a cluster takes records and gives them back.
    #[command(subcommand)]
    Perf(PerfCommand),
    /// Explain, list and check configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the version.
    Version,
}

/// Where a node's configuration comes from. Flags win over environment variables (KAFKA_*,
/// KAFKA_CFG_*, OTTLA_*), these over the file.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ServerFlags {
    /// File with settings: server.properties, or TOML with the same keys.
    #[arg(short, long, value_name = "FILE", env = "OTTLA_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Folder that holds the data (log.dirs).
    #[arg(short, long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Address to listen on without encryption (listeners); port 0 takes a free one.
    #[arg(short, long, value_name = "HOST:PORT")]
    pub(crate) listen: Option<String>,
    /// A setting; may be given many times.
    #[arg(short, long = "set", value_name = "KEY=VALUE", alias = "override")]
    pub(crate) settings: Vec<String>,
    /// Add this node to a running cluster: the address of one of its nodes. What is learned of it is
    /// kept in the data directory, so that the next start needs no flag.
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) join: Option<String>,
    /// Stop when the process of this id is gone.
    #[arg(long, hide = true, value_name = "PID")]
    pub(crate) with_parent: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say a key's value, where it comes from, its default and what it may be.
    Explain {
        /// The key, for example log.retention.ms.
        key: String,
        #[command(flatten)]
        sources: ServerFlags,
    },
    /// List keys with their values.
    #[command(alias = "ls")]
    List {
        /// Only keys that were set.
        #[arg(long)]
        changed: bool,
        /// Topic keys instead of broker keys.
        #[arg(long, conflicts_with = "groups")]
        topics: bool,
        /// Group keys instead of broker keys.
        #[arg(long)]
        groups: bool,
        #[command(flatten)]
        sources: ServerFlags,
    },
    /// Say everything that is wrong or without effect; fails if a node would not start.
    Check {
        #[command(flatten)]
        sources: ServerFlags,
    },
}
