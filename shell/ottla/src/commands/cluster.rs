//! `ottla cluster`: run one on this machine, look at one, move its leaders and replicas.

use clap::{Args, Subcommand};
use ottla_client::Admin;

use super::{Connection, Failure, Format, Outcome, table};
use crate::exit::Exit;

mod elect;
mod health;
mod moves;
mod plan;
mod start;
mod status;
mod view;

/// `ottla cluster ...`
#[derive(Debug, Subcommand)]
pub(crate) enum ClusterCommand {
    /// Run a whole cluster on this machine, until Ctrl-C.
    Start(start::Start),
    /// Show the nodes, the metadata quorum and the state of the partitions.
    #[command(aliases = ["info", "describe"])]
    Status(Look),
    /// Say what is wrong; ends with 1 if anything is.
    Health(Look),
    /// Move replicas and leaders so that all nodes carry the same.
    Rebalance(moves::Rebalance),
    /// Move everything away from a node that is to leave, and forget it once it is down.
    Decommission(moves::Decommission),
    /// Give leadership back to the preferred replicas, or elect uncleanly.
    Elect(elect::Elect),
}

/// A look at a cluster.
#[derive(Debug, Args)]
pub(crate) struct Look {
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

/// Does it.
pub(crate) fn run(command: ClusterCommand) -> Exit {
    match command {
        ClusterCommand::Start(flags) => start::run(&flags),
        ClusterCommand::Status(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move {
                status::status(&Admin::new(client), flags.output).await
            })
        }
        ClusterCommand::Health(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move {
                health::health(&Admin::new(client), flags.output).await
            })
        }
        ClusterCommand::Rebalance(flags) => {
            let connection = flags.connection.clone();
            connection
                .run(|client| async move { moves::rebalance(&Admin::new(client), &flags).await })
        }
        ClusterCommand::Decommission(flags) => {
            let connection = flags.connection.clone();
            connection
                .run(|client| async move { moves::decommission(&Admin::new(client), &flags).await })
        }
        ClusterCommand::Elect(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { elect::elect(&Admin::new(client), &flags).await })
        }
    }
}
