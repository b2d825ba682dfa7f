//! Plays many scripts at once against one broker, and wakes the broker up first.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_protocol::json::Value;

use crate::play;
use crate::script::{Script, Step};
use crate::venue::Venue;

const THREADS: usize = 8;
/// A script that takes longer is named.
const SLOW: Duration = Duration::from_secs(10);

/// What a script brought, or why it could not be played.
pub(crate) type Played = BTreeMap<String, Result<Vec<Value>, String>>;

/// Plays every script; `who` is for the line of progress.
pub(crate) fn play_all(scripts: &[&Script], venue: &Venue, who: &str) -> Played {
    if let Err(error) = wake(venue) {
        return scripts.iter().map(|script| (script.name.clone(), Err(error.clone()))).collect();
    }
    let run = run_name();
    let next = AtomicUsize::new(0);
    let played = Mutex::new(Played::new());
    std::thread::scope(|scope| {
        // What is done to a cluster is done to all who look at it.
        for _ in 0..if venue.is_cluster() { 1 } else { THREADS } {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(script) = scripts.get(at) else { return };
                    if at.is_multiple_of(500) && at > 0 {
                        eprintln!("{who}: {at} of {}", scripts.len());
                    }
                    let token = format!("{run}{at:04x}-");
                    let start = Instant::now();
                    let outcome = play::play(script, venue, &token);
                    if start.elapsed() > SLOW {
                        eprintln!("{who}: {} took {} s", script.name, start.elapsed().as_secs());
                    }
                    let mut played = played.lock().unwrap_or_else(|broken| broken.into_inner());
                    played.insert(script.name.clone(), outcome);
                }
            });
        }
    });
    played.into_inner().unwrap_or_else(|broken| broken.into_inner())
}

/// Four letters that differ from run to run, so that a broker can be asked again and again.
fn run_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let mut rest = now / 100 % 26u128.pow(4);
    let mut name = String::new();
    for _ in 0..4 {
        name.push(char::from(b'a' + (rest % 26) as u8));
        rest /= 26;
    }
    name
}

/// Asks for groups of every shard until none is loading any more: Kafka makes the topic of offsets only now.
fn wake(venue: &Venue) -> Result<(), String> {
    if venue.is_cluster() {
        return Ok(());
    }
    let group = |i: usize| format!("~wake-{i}");
    let keys: Vec<String> = (0..64).map(group).collect();
    let step = |send: &str, body: Value, until: &[(&str, Value)]| Step {
        send: Some(send.to_owned()),
        body,
        until: until.iter().map(|(at, value)| ((*at).to_owned(), value.clone())).collect(),
        ..Step::default()
    };
    let known: Vec<(String, Value)> =
        (0..64).map(|i| (format!("/coordinators/{i}/errorCode"), 0.into())).collect();
    let known: Vec<(&str, Value)> = known.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    let mut steps = vec![step(
        "FindCoordinator",
        serde_json::json!({"keyType": 0, "coordinatorKeys": keys}),
        &known,
    )];
    // The first block of producer ids is fetched when the first one is asked for.
    steps.push(step(
        "InitProducerId",
        serde_json::json!({"transactionTimeoutMs": 60_000, "transactionalId": null}),
        &[("/errorCode", 0.into())],
    ));
    for group in &keys {
        steps.push(step(
            "OffsetFetch",
            serde_json::json!({"groups": [{"groupId": group, "topics": null, "memberEpoch": -1}]}),
            &[("/groups/0/errorCode", 0.into())],
        ));
    }
    let script = Script { name: "wake".to_owned(), subject: None, topics: BTreeMap::new(), steps };
    play::play(&script, venue, &format!("{}-", run_name())).map(drop)
}
