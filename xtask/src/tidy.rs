//! The house rules that no compiler checks. Reads the tree, never writes it.

mod docs;
mod floors;
mod order;
mod sizes;
mod words;

use crate::{codegen, source};

/// Runs every check and prints the sizes; the error lists what is not as it should be.
pub(crate) fn run() -> Result<(), String> {
    let rust = source::files(&[".rs"])?;
    let mut faults = floors::check()?;
    faults.extend(order::check(&rust));
    let (report, found) = sizes::check(&rust);
    faults.extend(found);
    faults.extend(words::check(&rust));
    faults.extend(docs::check()?);
    if let Err(message) = codegen::run(true) {
        faults.push(message);
    }
    println!("{report}");
    if faults.is_empty() {
        println!("tidy: {} files, no faults", rust.len());
        return Ok(());
    }
    Err(format!("{}\ntidy: {} faults", faults.join("\n"), faults.len()))
}
