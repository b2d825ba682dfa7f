//! Topics that come and go while the cluster is disturbed: each is made, written to, read, and deleted
//! or kept, and the next one has its name. What was said of them holds in the end on every node.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::cluster::topics::{self, Refusal, TopicId};

/// Names that are in use over and over.
const NAMES: [&str; 3] = ["churn-a", "churn-b", "churn-c"];
const PARTITIONS: i32 = 2;
/// Records of each topic's life.
const RECORDS: u64 = 6;
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// Nothing is tried for longer.
const LIMIT: Duration = Duration::from_secs(90);

/// A topic, and what was acknowledged of it.
#[derive(Debug, Clone)]
struct Life {
    name: &'static str,
    id: TopicId,
    /// By partition.
    acknowledged: BTreeMap<i32, Vec<String>>,
}

/// What became of all of them.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) made: u64,
    pub(crate) deleted: u64,
    /// The answer to the first attempt was that it is there already.
    pub(crate) there_already: u64,
    pub(crate) wrong: Vec<String>,
    kept: Vec<Life>,
    gone: Vec<Life>,
}

/// The thread that makes them.
pub(crate) struct Churn {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

impl Churn {
    /// `brokers` by their ids from 1 on.
    pub(crate) fn start(brokers: Vec<String>, seed: u64) -> Churn {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut work = Work { brokers, state: seed, is_over: Arc::clone(&is_over) };
        let thread = std::thread::spawn(move || work.run());
        Churn { is_over, thread }
    }

    /// Ends it; the cluster is whole.
    pub(crate) fn stop(self) -> Result<Outcome, String> {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the churn of topics ended by itself".to_string())
    }
}

impl Outcome {
    /// Asks every broker what it knows of each topic that there was.
    pub(crate) fn check(&mut self, brokers: &[String]) {
        for life in self.kept.clone() {
            for address in brokers {
                let known = until(LIMIT, || topics::describe(address, Ok(&life.id)));
                if let Err(refusal) = known {
                    self.wrong.push(format!(
                        "{}, acknowledged, is unknown to {address}: {refusal:?}",
                        life.name
                    ));
                }
            }
            if let Err(text) = verify(brokers, &life) {
                self.wrong.push(text);
            }
        }
        for life in &self.gone {
            for address in brokers {
                let gone = until(LIMIT, || match topics::describe(address, Ok(&life.id)) {
                    Err(Some(topics::UNKNOWN_TOPIC_ID)) => Ok(()),
                    Err(refusal) => Err(refusal),
                    Ok(_) => Err(Some(0)),
                });
                if gone.is_err() {
                    self.wrong.push(format!("{}, deleted, is known to {address}", life.name));
                }
            }
        }
    }

    /// No node has files of a topic that is gone and has no successor of its name.
    pub(crate) fn check_files(&mut self, data: &[(u16, PathBuf)]) {
        let is_kept = |name: &str| self.kept.iter().any(|life| life.name == name);
        for name in NAMES.into_iter().filter(|name| !is_kept(name)) {
            for (id, folder) in data {
                for partition in 0..PARTITIONS {
                    let left = folder.join(format!("{name}-{partition}"));
                    if left.exists() {
                        self.wrong
                            .push(format!("node {id} still has the files of {name}-{partition}"));
                    }
                }
            }
        }
    }
}

/// Until it is so, or the time is over.
fn until<T>(
    limit: Duration,
    mut attempt: impl FnMut() -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let start = Instant::now();
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            Err(refusal) if start.elapsed() > limit => return Err(refusal),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// Reads a topic to its end: all that was acknowledged is there, and nothing of another topic. A new
/// leader may not know for a moment that it is committed.
fn verify(brokers: &[String], life: &Life) -> Result<(), String> {
    let own = format!("{}/{}/", life.name, hex(&life.id));
    for (partition, acknowledged) in &life.acknowledged {
        let (mut at, mut found) = (0, Vec::new());
        let read = until(LIMIT, || {
            at += 1;
            let topic = topics::describe(&brokers[at % brokers.len()], Ok(&life.id))?;
            let leader = topic.leaders.get(*partition as usize).copied().unwrap_or(-1);
            let address = usize::try_from(leader - 1).ok().and_then(|at| brokers.get(at));
            found = marks(&topics::fetch(address.ok_or(None)?, &life.id, *partition)?);
            let is_strange = found.iter().any(|mark| !mark.starts_with(&own));
            let has_all = acknowledged.iter().all(|mark| found.contains(mark));
            if is_strange || has_all { Ok(()) } else { Err(Some(0)) }
        });
        if let Some(other) = found.iter().find(|mark| !mark.starts_with(&own)) {
            return Err(format!("{} ({own}) holds {other} of another topic", life.name));
        }
        read.map_err(|refusal| {
            let place = format!("{}-{partition} ({own})", life.name);
            format!("{place}: of {acknowledged:?} there is {found:?}, {refusal:?}")
        })?;
    }
    Ok(())
}

/// The values among the bytes of batches: each stands between < and >.
fn marks(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(begin) = rest.windows(7).position(|bytes| bytes == b"<churn-") {
        rest = &rest[begin + 1..];
        let Some(end) = rest.iter().position(|byte| *byte == b'>') else { break };
        found.push(String::from_utf8_lossy(&rest[..end]).into_owned());
    }
    found
}

fn hex(id: &TopicId) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Work {
    brokers: Vec<String>,
    state: u64,
    is_over: Arc<AtomicBool>,
}

impl Work {
    fn run(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut living: BTreeMap<&'static str, Life> = BTreeMap::new();
        while !self.is_over.load(Ordering::Relaxed) && outcome.wrong.is_empty() {
            let name = NAMES[self.below(NAMES.len())];
            if let Err(text) = self.turn(name, &mut living, &mut outcome) {
                outcome.wrong.push(text);
            }
        }
        outcome.kept = living.into_values().collect();
        outcome
    }

    /// Makes a topic where there is none of the name, and else looks at it or deletes it.
    fn turn(
        &mut self,
        name: &'static str,
        living: &mut BTreeMap<&'static str, Life>,
        outcome: &mut Outcome,
    ) -> Result<(), String> {
        let Some(life) = living.remove(name) else {
            let mut life = self.create(name, outcome)?;
            outcome.made += 1;
            self.write(&mut life)?;
            living.insert(name, life);
            return Ok(());
        };
        verify(&self.brokers, &life)?;
        if self.below(3) == 0 {
            living.insert(name, life);
            return Ok(());
        }
        self.delete(&life)?;
        outcome.deleted += 1;
        outcome.gone.push(life);
        Ok(())
    }

    fn create(&mut self, name: &'static str, outcome: &mut Outcome) -> Result<Life, String> {
        let mut attempts = 0;
        let former: Vec<TopicId> = outcome.gone.iter().map(|life| life.id).collect();
        let made = until(LIMIT, || {
            attempts += 1;
            let address = self.any();
            match topics::create(&address, name, PARTITIONS) {
                Err(Some(topics::TOPIC_EXISTS)) => {
                    outcome.there_already += u64::from(attempts == 1);
                    // Made by an attempt whose answer was lost.
                    let topic = topics::describe(&address, Err(name))?;
                    if former.contains(&topic.id) { Err(None) } else { Ok(topic.id) }
                }
                other => other,
            }
        });
        let id = made.map_err(|refusal| format!("{name} cannot be made: {refusal:?}"))?;
        Ok(Life { name, id, acknowledged: BTreeMap::new() })
    }

    fn write(&mut self, life: &mut Life) -> Result<(), String> {
        for number in 0..RECORDS {
            let partition = number as i32 % PARTITIONS;
            let mark = format!("{}/{}/{number}", life.name, hex(&life.id));
            let written = until(LIMIT, || {
                let topic = topics::describe(&self.any(), Ok(&life.id))?;
                let leader = topic.leaders.get(partition as usize).copied().unwrap_or(-1);
                let address = usize::try_from(leader - 1).ok().and_then(|at| self.brokers.get(at));
                let value = format!("<{mark}>");
                topics::produce(address.ok_or(None)?, &life.id, partition, value.as_bytes())
            });
            written.map_err(|refusal| format!("{mark} cannot be written: {refusal:?}"))?;
            life.acknowledged.entry(partition).or_default().push(mark);
        }
        Ok(())
    }

    fn delete(&mut self, life: &Life) -> Result<(), String> {
        let mut attempts = 0;
        let deleted = until(LIMIT, || {
            attempts += 1;
            match topics::delete(&self.any(), &life.id) {
                // By an attempt whose answer was lost.
                Err(Some(topics::UNKNOWN_TOPIC_ID | topics::UNKNOWN_TOPIC)) if attempts > 1 => {
                    Ok(())
                }
                other => other,
            }
        });
        deleted.map_err(|refusal| format!("{} cannot be deleted: {refusal:?}", life.name))
    }

    fn any(&mut self) -> String {
        let at = self.below(self.brokers.len());
        self.brokers[at].clone()
    }

    /// xorshift: which node is asked matters to nobody.
    fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.max(1);
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state % limit as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::marks;

    #[test]
    fn values_are_found_between_other_bytes() {
        assert_eq!(
            marks(b"\0\x05<churn-a/1f/0>\0\0<churn-b/2/11>x<churn-"),
            ["churn-a/1f/0", "churn-b/2/11"]
        );
    }
}
