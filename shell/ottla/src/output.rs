//! Text for people and scripts. A reader that goes away early (`| head`) is no error.

use std::io::Write;

/// Writes to standard output.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _gone = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes a line to standard error, where it is not mixed with what a script reads.
pub(crate) fn complain(text: &str) {
    let mut out = std::io::stderr().lock();
    let _gone = writeln!(out, "{text}");
}
