//! A consumer that follows every partition and writes down what it is given.

use std::sync::Arc;

use ottla_env::Env;
use ottla_protocol::ErrorCode;

use super::reader::{fetch, unpack};
use super::{RETRY, Setup, connect};
use crate::wire::{Connection, WireError};

/// How long the broker may hold a fetch.
const MAX_WAIT_MS: i32 = 20;

/// Consumes until the run stops.
pub async fn run<E: Env>(env: E, setup: Arc<Setup>) {
    let mut positions = vec![0; setup.partitions as usize];
    while let Some(mut connection) = connect(&env, &setup).await {
        // A lost connection is nothing to write down.
        let _ = follow(&mut connection, &setup, &mut positions).await;
        env.sleep(RETRY).await;
    }
}

async fn follow<E: Env>(
    connection: &mut Connection<E>,
    setup: &Setup,
    positions: &mut [i64],
) -> Result<(), WireError> {
    while !setup.is_stopping() {
        for (index, position) in positions.iter_mut().enumerate() {
            let partition = index as i32;
            let answer = fetch(connection, partition, *position, MAX_WAIT_MS).await?;
            match ErrorCode::from_code(answer.error_code) {
                Some(ErrorCode::None) => {}
                Some(ErrorCode::OffsetOutOfRange) => {
                    // The log has become shorter than what it gave out. Look again from the start.
                    if setup.forgetting_is_wrong {
                        setup.surprise(format!("offset {position} is out of range now"));
                    }
                    *position = 0;
                    continue;
                }
                _ => return Ok(()),
            }
            let found = match unpack(&answer.records.unwrap_or_default(), *position) {
                Ok(found) => found,
                Err(text) => {
                    setup.surprise(format!("a fetch at {position} gave: {text}"));
                    return Ok(());
                }
            };
            let mut history = setup.history.lock();
            for (offset, record) in found {
                history.partition(partition).observe(offset, record);
                *position = offset + 1;
            }
        }
    }
    Ok(())
}
