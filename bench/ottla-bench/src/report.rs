//! What one command found: a table for people, JSON for programs.

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::flags::Output;
use crate::verify::Verified;
use crate::window::Measured;

/// Writes rows of `what, value` or the document.
pub(crate) fn show(output: Output, rows: &[(&str, String)], document: &Value) {
    match output {
        Output::Json => println!("{document:#}"),
        Output::Text => {
            let mut table = plain_table();
            for (what, value) in rows {
                table.add_row([*what, value]);
            }
            if let Some(column) = table.column_mut(1) {
                column.set_cell_alignment(CellAlignment::Right);
            }
            println!("{table}");
        }
    }
}

pub(crate) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

/// The rows of a window.
pub(crate) fn rows(
    measured: &Measured,
    verified: Option<&Verified>,
) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("seconds measured", format!("{:.1}", measured.seconds)),
        ("MB/s", format!("{:.1}", measured.mb_per_s())),
        ("records/s", format!("{:.0}", measured.records as f64 / measured.seconds)),
        ("requests/s", format!("{:.0}", measured.requests as f64 / measured.seconds)),
    ];
    let gigabytes = measured.gigabytes();
    if let Some(broker) = &measured.broker {
        let requests = measured.requests.max(1) as f64;
        let mib = |bytes: u64| format!("{:.1}", bytes as f64 / 1_048_576.0);
        rows.extend([
            ("broker CPU-s/GB", format!("{:.3}", broker.cpu_s() / gigabytes)),
            ("  of it in the kernel", format!("{:.3}", broker.system_s / gigabytes)),
            ("broker us/request", format!("{:.2}", broker.cpu_s() * 1e6 / requests)),
            ("broker CPU, % of one", format!("{:.1}", 100.0 * broker.cpu_s() / measured.seconds)),
            ("switches/request", format!("{:.2}", broker.voluntary_switches as f64 / requests)),
            ("  involuntary", format!("{:.2}", broker.involuntary_switches as f64 / requests)),
            ("memory, MiB", mib(broker.rss_bytes)),
            ("  peak", mib(broker.rss_peak_bytes)),
            ("  of it anonymous", mib(broker.anonymous_bytes)),
            ("open files", broker.files.to_string()),
            ("threads", broker.threads.to_string()),
        ]);
    }
    rows.extend([
        ("client CPU-s/GB", format!("{:.3}", measured.client_cpu_s / gigabytes)),
        ("system less client CPU-s/GB", format!("{:.3}", measured.system_cpu_s / gigabytes)),
        ("foreign CPU, %", format!("{:.1}", 100.0 * measured.foreign_share)),
        ("stolen CPU, %", format!("{:.1}", 100.0 * measured.stolen_share)),
    ]);
    if let Some(verified) = verified {
        rows.extend([
            ("records acknowledged, all there", verified.acknowledged.to_string()),
            ("batches read back, CRC as sent", verified.batches_read_back.to_string()),
        ]);
    }
    rows
}

/// The same as a document.
pub(crate) fn document(measured: &Measured, verified: Option<&Verified>) -> Value {
    json!({
        "measured": measured,
        "broker_cpu_s_per_gb": measured.broker_cpu_per_gb(),
        "broker_us_per_request": measured.broker_us_per_request(),
        "mb_per_s": measured.mb_per_s(),
        "verified": verified,
    })
}
