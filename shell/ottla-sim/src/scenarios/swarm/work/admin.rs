//! Administrators: delete records, delete topics and make them again, add partitions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ottla_client::admin::{ConfigChange, Resource};
use ottla_client::{Admin, Isolation, NewTopic, OffsetSpec, TopicPartition};
use ottla_env::Env;
use ottla_env::sim::{Random, SimEnv};
use ottla_judge::What;
use ottla_protocol::{ErrorCode, Str, Uuid};

use super::{FLEETING, GROWING, GROWN_MAX, RETRY, STEADY, Setup, TRIMMED, connect, pause, place};

/// Between two calls at most.
const PAUSE_MS: u64 = 5_000;

/// Deletes the beginning of `TRIMMED` until the run stops.
pub(super) async fn trim(env: SimEnv, setup: Arc<Setup>, mut random: Random) {
    let who = "trimmer";
    let admin = Admin::new(connect(&env, &setup.bootstrap));
    let partition = TopicPartition::new(TRIMMED, 0);
    let at = place(TRIMMED, 0);
    while !setup.is_stopping() {
        pause(&env, &mut random, PAUSE_MS).await;
        let asked = [(partition.clone(), OffsetSpec::Latest)];
        let found = admin.list_offsets(&asked, Isolation::ReadUncommitted).await;
        let end = found.ok().and_then(|found| found.get(&partition).map(|found| found.offset));
        let Some(end) = end.filter(|end| *end > 0) else { continue };
        let before = 1 + random.below(end as u64) as i64;
        setup.diary.note(env.now(), who, What::TryDelete { at, o: before });
        if admin.delete_records(&partition, before).await.is_ok() {
            setup.diary.note(env.now(), who, What::Deleted { at, o: before });
        }
    }
}

/// Deletes `FLEETING` and makes it again until the run stops.
pub(super) async fn make_again(env: SimEnv, setup: Arc<Setup>, mut random: Random) {
    let who = "remaker";
    let admin = Admin::new(connect(&env, &setup.bootstrap));
    let topic = FLEETING;
    let name = Str::from(FLEETING);
    while !setup.is_stopping() {
        pause(&env, &mut random, PAUSE_MS).await;
        setup.lives.fetch_add(1, Ordering::Relaxed);
        setup.diary.note(env.now(), who, What::TryDeleteTopic { topic, id: "" });
        // Whether an earlier attempt did it or this one: it is gone, or the answer is unknown.
        let deleted = match admin.delete_topic(&name).await {
            Ok(()) => true,
            Err(error) => error.code() == Some(ErrorCode::UnknownTopicOrPartition),
        };
        if !deleted {
            // The old topic may live on: whatever is there now goes on as another life.
            if !settle(&env, &setup, &admin, who).await {
                return;
            }
            continue;
        }
        setup.diary.note(env.now(), who, What::TopicDeleted { topic, id: "" });
        if !settle(&env, &setup, &admin, who).await {
            return;
        }
    }
}

/// Makes `FLEETING` if it is not there and notes the id it has; false if the run stopped meanwhile.
async fn settle<E: Env>(env: &E, setup: &Setup, admin: &Admin<E>, who: &str) -> bool {
    let new = NewTopic::new(FLEETING).partitions(1);
    loop {
        let made = admin.create_topic(&new, false).await;
        let exists =
            |error: &ottla_client::Error| error.code() == Some(ErrorCode::TopicAlreadyExists);
        let id = match made {
            Ok(id) => Some(id),
            Err(error) if exists(&error) => id_of(admin, FLEETING).await,
            Err(_) => None,
        };
        if let Some(id) = id {
            let (topic, id) = (FLEETING, format!("{id:?}"));
            setup.diary.note(env.now(), who, What::TopicCreated { topic, id: &id });
            setup.lives.fetch_add(1, Ordering::Relaxed);
            return true;
        }
        if setup.is_stopping() {
            return false;
        }
        env.sleep(RETRY).await;
    }
}

/// A topic's id, as a broker knows it.
pub(super) async fn id_of<E: Env>(admin: &Admin<E>, name: &'static str) -> Option<Uuid> {
    admin.describe_topic(&Str::from(name)).await.ok().map(|topic| topic.id)
}

/// Adds partitions to `GROWING`, and changes a setting, until the run stops.
pub(super) async fn grow(env: SimEnv, setup: Arc<Setup>, mut random: Random) {
    let admin = Admin::new(connect(&env, &setup.bootstrap));
    while !setup.is_stopping() {
        pause(&env, &mut random, PAUSE_MS).await;
        let grown = setup.grown.load(Ordering::Relaxed);
        if grown < GROWN_MAX && random.chance(50) {
            let name = Str::from(GROWING);
            let count = grown + 1;
            let done = match admin.create_partitions(&name, count, false).await {
                Ok(()) => true,
                // An answer that did not come may have said yes.
                Err(error) => error.code() == Some(ErrorCode::InvalidPartitions),
            };
            if done {
                setup.grown.store(count, Ordering::Relaxed);
            }
            continue;
        }
        let bytes = random.between(1 << 20, 1 << 24).to_string();
        let change = ConfigChange::Set("max.message.bytes".into(), bytes.into());
        let resource = Resource::Topic(STEADY.into());
        let _ = admin.alter_configs(&resource, &[change], false).await;
    }
}
