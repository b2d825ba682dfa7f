//! The server's log: lines on standard error, colours only where somebody looks at them.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The variable that says how much is logged, in tracing's words (`debug`, `ottla_log=trace,info`).
const VARIABLE: &str = "OTTLA_LOG";

/// Starts logging. What is wrong with the variable is said once logging works.
pub(crate) fn start() {
    let wanted = std::env::var(VARIABLE).ok().filter(|wanted| !wanted.trim().is_empty());
    let parsed = wanted.as_deref().map(EnvFilter::try_new);
    let (filter, complaint) = match parsed {
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => (EnvFilter::new("info"), Some(error)),
        None => (EnvFilter::new("info"), None),
    };
    let no_colour = std::env::var_os("NO_COLOR").is_some_and(|said| !said.is_empty());
    let colours = std::io::stderr().is_terminal() && !no_colour;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .with_target(false)
        .init();
    if let Some(error) = complaint {
        tracing::warn!("{VARIABLE} is not understood, logging at info: {error}");
    }
}
