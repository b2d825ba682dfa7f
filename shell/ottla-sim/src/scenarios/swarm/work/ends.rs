//! Asks again and again where a partition ends: what was once told to be committed stays so, whoever leads.
//!
//! Source: KIP-207 (a new leader does not answer before it knows what its predecessor had committed).

use std::collections::BTreeMap;
use std::sync::Arc;

use ottla_client::{Admin, Isolation, OffsetSpec, TopicPartition};
use ottla_env::Env;
use ottla_env::sim::{Random, SimEnv};

use super::{STEADY, Setup, connect, pause};

/// Between two questions at most.
const PAUSE_MS: u64 = 600;

/// Asks until the run stops.
pub(super) async fn run(env: SimEnv, setup: Arc<Setup>, mut random: Random) {
    let admin = Admin::new(connect(&env, &setup.bootstrap));
    let mut told: BTreeMap<i32, i64> = BTreeMap::new();
    while !setup.is_stopping() {
        pause(&env, &mut random, PAUSE_MS).await;
        let index = random.below(setup.choice.partitions as u64) as i32;
        let asked = [(TopicPartition::new(STEADY, index), OffsetSpec::Latest)];
        let Ok(found) = admin.list_offsets(&asked, Isolation::ReadUncommitted).await else {
            continue;
        };
        let Some(end) = found.get(&asked[0].0).map(|found| found.offset) else { continue };
        let before = told.insert(index, end).unwrap_or(0);
        if end < before {
            let text = format!("{STEADY}-{index} ended at {before} and now at {end}");
            setup.diary.wrong(env.now(), "ends", &text);
        }
    }
}
