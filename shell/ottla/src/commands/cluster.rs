//! `ottla cluster`: run one on this machine, look at one, move its leaders and replicas.

use clap::{Args, Subcommand};
use ottla_client::Admin;

use super::{Connection, Failure, Format, Outcome, table};
use crate::exit::Exit;

mod elect;
mod health;
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
        ClusterCommand::Elect(flags) => {
            let connection = flags.connection.clone();
            connection.run(|client| async move { elect::elect(&Admin::new(client), &flags).await })
        }
    }
}
