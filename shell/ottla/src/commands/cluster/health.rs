//! `ottla cluster health`: what is wrong, and a number that scripts can test.

use ottla_client::Admin;
use ottla_env::os::OsEnv;
use serde_json::{Value, json};

use super::view::{self, View};
use super::{Format, Outcome, table};
use crate::exit::Exit;
use crate::output;

/// Partitions that are named; of more, only the number is told.
const NAMED_MAX: usize = 10;
/// A voter that has so many metadata records still to read would make the next election slow.
const METADATA_LAG_MAX: i64 = 1_000;

/// Something wrong: what, and where.
struct Problem {
    what: &'static str,
    of: Vec<String>,
}

pub(super) async fn health(admin: &Admin<OsEnv>, format: Format) -> Outcome {
    let view = view::look(admin).await?;
    let problems = problems(&view);
    output::print(&match format {
        Format::Text => text(&problems),
        Format::Json => format!("{:#}\n", json(&problems)),
        Format::Jsonl => format!("{}\n", json(&problems)),
    });
    Ok(if problems.is_empty() { Exit::Done } else { Exit::Failed })
}

fn problems(view: &View) -> Vec<Problem> {
    let ids = |wanted: &dyn Fn(&&view::Node) -> bool| -> Vec<String> {
        view.nodes.iter().filter(wanted).map(|node| node.id.to_string()).collect()
    };
    let lags = |node: &&view::Node| {
        node.is_voter && node.metadata_lag.is_none_or(|lag| lag > METADATA_LAG_MAX)
    };
    let no_quorum =
        if view.quorum.is_none() { vec!["__cluster_metadata-0".to_owned()] } else { vec![] };
    let all = [
        Problem { what: "the metadata quorum has no leader", of: no_quorum },
        Problem { what: "nodes are down", of: ids(&|node| node.is_serving == Some(false)) },
        Problem { what: "voters are behind or gone", of: ids(&lags) },
        Problem { what: "partitions have no leader", of: view.partitions.without_leader.clone() },
        Problem {
            what: "partitions are under-replicated",
            of: view.partitions.under_replicated.clone(),
        },
    ];
    all.into_iter().filter(|problem| !problem.of.is_empty()).collect()
}

fn text(problems: &[Problem]) -> String {
    if problems.is_empty() {
        return "healthy\n".to_owned();
    }
    let mut table = table::table(&["COUNT", "PROBLEM", "WHERE"]);
    for problem in problems {
        let more = problem.of.len().saturating_sub(NAMED_MAX);
        let mut named = problem.of[..problem.of.len() - more].join(",");
        if more > 0 {
            named.push_str(&format!(" and {more} more"));
        }
        table.add_row([problem.of.len().to_string(), problem.what.to_owned(), named]);
    }
    table::text(&table)
}

fn json(problems: &[Problem]) -> Value {
    let listed: Vec<Value> = problems
        .iter()
        .map(|problem| json!({ "problem": problem.what, "of": problem.of }))
        .collect();
    json!({ "healthy": problems.is_empty(), "problems": listed })
}
