//! Tables for people: columns that line up, no borders, so that `grep` and `awk` work on them too.

use comfy_table::{Cell, Table, presets};

/// A table with this first line.
pub(super) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header.iter().map(Cell::new));
    table
}

/// Its text: no blanks at line ends, none at the beginning.
pub(super) fn text(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        let line = line.strip_prefix(' ').unwrap_or(&line);
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
