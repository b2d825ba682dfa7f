//! Reads topics, again and again: from their beginning, or what comes.

use std::sync::Arc;
use std::time::Duration;

use ottla_client::{Consumer, ConsumerOptions, OffsetSpec, TopicPartition};
use ottla_env::Env;
use ottla_env::sim::{Random, SimEnv};
use ottla_judge::What;

use super::super::diary::name_of;
use super::{RETRY, SHORT, STEADY, Setup, TRIMMED, connect, place};

const POLL: Duration = Duration::from_millis(300);

/// Reads until the run stops.
pub(super) async fn run(env: SimEnv, setup: Arc<Setup>, mut random: Random) {
    let read = [STEADY, TRIMMED, SHORT];
    let topics: Vec<_> =
        setup.topics().into_iter().filter(|(name, ..)| read.contains(name)).collect();
    for session in 0.. {
        if setup.is_stopping() {
            return;
        }
        let who = format!("r{session}");
        // Most sessions follow the end: what was read from the beginning once is read again at last.
        let from = if random.chance(30) { OffsetSpec::Earliest } else { OffsetSpec::Latest };
        let options = ConsumerOptions {
            reset: Some(from),
            partition_max_bytes: 1 << random.between(8, 20),
            poll_records_max: random.between(1, 500) as usize,
            ..ConsumerOptions::default()
        };
        let mut consumer = Consumer::new(connect(&env, &setup.bootstrap), options);
        let partitions = topics.iter().flat_map(|(topic, partitions, _)| {
            (0..*partitions).map(|index| TopicPartition::new(*topic, index))
        });
        consumer.assign(partitions);
        for _ in 0..random.between(5, 60) {
            if setup.is_stopping() {
                break;
            }
            let Ok(records) = consumer.poll(POLL).await else {
                env.sleep(RETRY).await;
                continue;
            };
            for record in records {
                let at = place(&record.topic, record.partition);
                if &*record.topic != STEADY {
                    // The beginning of these topics goes: a reader may have to go on later.
                    setup.diary.note(env.now(), &who, What::Seek { at });
                }
                let value = record.value.unwrap_or_default();
                setup.diary.read(env.now(), &who, at, (record.offset, name_of(&value)));
            }
        }
        let _ = consumer.close().await;
    }
}
