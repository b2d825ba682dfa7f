//! The binary: one program that is broker, controller and command-line tool.

use std::process::ExitCode;

use clap::Parser;

mod exit;
mod output;

mod commands;

mod cli;
mod join;
mod loading;
mod logging;

mod config_command;
mod server;

use cli::{Cli, Command};
use exit::Exit;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything is allocated that a huge page could be taken for.
    ottla_env::os::use_small_pages();
    let cli = Cli::parse();
    let exit = match cli.command {
        None => server::run(&cli.server),
        Some(Command::Server(flags)) => server::run(&flags),
        Some(Command::Topic(command)) => commands::topic::run(command),
        Some(Command::Produce(flags)) => commands::produce::run(flags),
        Some(Command::Consume(flags)) => commands::consume::run(flags),
        Some(Command::Group(command)) => commands::group::run(command),
        Some(Command::Cluster(command)) => commands::cluster::run(command),
        Some(Command::Perf(command)) => commands::perf::run(command),
        Some(Command::Config(command)) => config_command::run(&command),
        Some(Command::Version) => {
            output::print(&format!("ottla {}\n", env!("CARGO_PKG_VERSION")));
            Exit::Done
        }
    };
    exit.into()
}
