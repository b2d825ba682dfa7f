//! What the command line does with a running cluster: topics, records, groups.
//!
//! Tables for people, JSON for programs, notes on standard error; nothing here knows how a broker
//! works inside.

use std::future::Future;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ottla_client::{Client, ClientOptions};
use ottla_env::os::OsEnv;

use crate::exit::Exit;
use crate::output;

mod failure;
mod position;
mod record_json;
mod table;
mod template;

pub(crate) mod cluster;
pub(crate) mod consume;
pub(crate) mod group;
pub(crate) mod perf;
pub(crate) mod produce;
pub(crate) mod topic;

use failure::Failure;

/// What a command came to: how the program ends, or why it could not do what was asked.
type Outcome<T = Exit> = Result<T, Failure>;

/// Which cluster.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    /// Brokers to begin with, separated by commas.
    #[arg(
        short,
        long,
        value_name = "HOST:PORT",
        default_value = "localhost:9092",
        env = "OTTLA_BOOTSTRAP",
        alias = "bootstrap-server",
        alias = "brokers"
    )]
    pub(crate) bootstrap: String,
    /// Give up after this many seconds without success.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, env = "OTTLA_TIMEOUT")]
    pub(crate) timeout: u64,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Jsonl,
}

impl Connection {
    /// Runs `work` with a client that has reached the cluster.
    fn run<F, Fut>(&self, work: F) -> Exit
    where
        F: FnOnce(Client<OsEnv>) -> Fut,
        Fut: Future<Output = Outcome>,
    {
        const WORKERS: usize = 2;
        let options = ClientOptions {
            api_timeout: Duration::from_secs(self.timeout),
            request_timeout: Duration::from_secs(self.timeout.clamp(1, 30)),
            connect_timeout: Duration::from_secs(self.timeout.clamp(1, 10)),
            ..ClientOptions::new(&self.bootstrap)
        };
        let ran = ottla_env::os::run(Some(WORKERS), |env| async move {
            work(Client::connect(env, options).await?).await
        });
        match ran {
            Ok(Ok(exit)) => exit,
            Ok(Err(failure)) => failure.tell(),
            Err(error) => {
                output::complain(&format!("error: cannot start: {error}"));
                Exit::Failed
            }
        }
    }
}
