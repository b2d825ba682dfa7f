//! `ottla cluster status`: the nodes, the quorum, the partitions by state.

use ottla_client::Admin;
use ottla_env::os::OsEnv;
use serde_json::{Value, json};

use super::view::{self, View};
use super::{Format, Outcome, table};
use crate::exit::Exit;
use crate::output;

pub(super) async fn status(admin: &Admin<OsEnv>, format: Format) -> Outcome {
    let view = view::look(admin).await?;
    output::print(&match format {
        Format::Text => text(&view),
        Format::Json => format!("{:#}\n", json(&view)),
        Format::Jsonl => format!("{}\n", json(&view)),
    });
    Ok(Exit::Done)
}

fn text(view: &View) -> String {
    let mut text = format!("cluster {}\n", view.cluster_id);
    match &view.quorum {
        Some(quorum) => text.push_str(&format!(
            "metadata quorum: leader {}, epoch {}, high watermark {}\n",
            quorum.leader_id, quorum.leader_epoch, quorum.high_watermark
        )),
        None => text.push_str("metadata quorum: no leader\n"),
    }
    let partitions = &view.partitions;
    text.push_str(&format!(
        "partitions: {}, without a leader {}, under-replicated {}, not led by the preferred replica {}\n\n",
        partitions.total,
        partitions.without_leader.len(),
        partitions.under_replicated.len(),
        partitions.not_preferred
    ));
    let header =
        ["NODE", "ADDRESS", "ROLE", "STATE", "RACK", "LEADERS", "REPLICAS", "METADATA-LAG"];
    let mut table = table::table(&header);
    let known = |word: Option<String>| word.unwrap_or_else(|| "-".to_owned());
    for node in &view.nodes {
        table.add_row([
            node.id.to_string(),
            known(node.address.clone()),
            node.role(),
            node.state().to_owned(),
            known(node.rack.clone()),
            node.leaders.to_string(),
            node.replicas.to_string(),
            known(node.metadata_lag.map(|lag| lag.to_string())),
        ]);
    }
    text.push_str(&table::text(&table));
    text
}

fn json(view: &View) -> Value {
    let quorum = view.quorum.as_ref().map(|quorum| {
        json!({
            "leader": quorum.leader_id,
            "epoch": quorum.leader_epoch,
            "high_watermark": quorum.high_watermark,
            "voters": quorum.voters.iter().map(|voter| voter.id).collect::<Vec<_>>(),
        })
    });
    let nodes: Vec<Value> = view.nodes.iter().map(view::Node::json).collect();
    json!({
        "cluster": view.cluster_id,
        "quorum": quorum,
        "nodes": nodes,
        "partitions": {
            "total": view.partitions.total,
            "without_leader": view.partitions.without_leader,
            "under_replicated": view.partitions.under_replicated,
            "not_preferred": view.partitions.not_preferred,
        },
    })
}
