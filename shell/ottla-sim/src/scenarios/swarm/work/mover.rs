//! Has replicas move between the directories of their node, and change its mind.
//!
//! Sources: KIP-113 (AlterReplicaLogDirs), KIP-858 (the controller knows which directory has a replica).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::Env;
use ottla_env::sim::{Random, SimEnv};
use ottla_judge::watch::OnePlace;
use ottla_protocol::Str;

use super::super::choice::Moves;
use super::super::directories::{Named, alter, describe};
use super::{Setup, pause};
use crate::wire::WireError;

/// A node that cannot be reached is left alone.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// Of a hundred moves, how many take a replica to where it is not; the others end a move to there.
const AWAY_PERCENT: u64 = 85;

/// Moves replicas until the run stops.
pub(super) async fn run(env: SimEnv, setup: Arc<Setup>, mut random: Random, moves: Moves) {
    while !setup.is_stopping() {
        pause(&env, &mut random, moves.pause_ms).await;
        let at = random.index(setup.nodes.len());
        let asked = move_one(&env, &setup, setup.nodes[at], at as i32 + 1, random.next_u64());
        let _answered = env.timeout(PATIENCE, asked).await;
    }
}

/// Moves one replica of a node.
async fn move_one<E: Env>(
    env: &E,
    setup: &Setup,
    address: SocketAddr,
    node: i32,
    draw: u64,
) -> Result<(), WireError> {
    let mut random = Random::new(draw);
    let found = describe(env, address).await?;
    for ((topic, index), places) in &found.replicas {
        let places: Vec<&str> = places.iter().map(Str::as_str).collect();
        if let Some(wrong) = OnePlace::holds(&format!("{topic}-{index}"), node, &places) {
            setup.diary.wrong(env.now(), "mover", &wrong.text);
        }
    }
    let replicas: Vec<_> = found.replicas.iter().collect();
    let Some((named, places)) = replicas.get(random.index(replicas.len().max(1))) else {
        return Ok(());
    };
    let goes_away = random.chance(AWAY_PERCENT);
    let wanted = |path: &&Str| places.contains(*path) != goes_away;
    let Some(path) = found.online.iter().find(wanted) else { return Ok(()) };
    let named: Named = (*named).clone();
    alter(env, address, named, path.clone()).await.map(|_code| ())
}
