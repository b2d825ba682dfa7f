//! Bugs planted on purpose, and the first seed that finds each. What is not found shows that a
//! scenario or a checker is weak.

#![allow(clippy::disallowed_types, clippy::disallowed_methods)] // The time that the hunt itself takes.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use ottla_plant::{Plant, activate};

use crate::node::Flush;
use crate::scenarios::{controller, group_life, log_life, partition, power_cut, quorum, swarm};

/// The seeds that found each plant, as `ottla-sim plants` wrote them.
const KNOWN: &str = include_str!("../seeds/plants.tsv");
/// Seeds run after the known one in the short form: a change of the workload moves what a seed does.
const WINDOW: u64 = 40;

/// Where a plant is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    LogLife,
    GroupLife,
    PowerCut,
    Quorum,
    Partition,
    Controller,
    /// One node in the swarm.
    Alone,
    /// Three nodes in the swarm.
    Cluster,
}

impl Story {
    fn word(self) -> &'static str {
        match self {
            Story::LogLife => "log-life",
            Story::GroupLife => "group-life",
            Story::PowerCut => "broker",
            Story::Quorum => "quorum",
            Story::Partition => "partition",
            Story::Controller => "controller",
            Story::Alone => "swarm 1",
            Story::Cluster => "swarm 3",
        }
    }

    /// The first broken promise of a run.
    fn run(self, seed: u64) -> Option<(String, String)> {
        let first = match self {
            Story::LogLife => log_life::run(seed).violations.into_iter().next(),
            Story::GroupLife => group_life::run(seed).violations.into_iter().next(),
            Story::PowerCut => {
                let first = power_cut::run(seed, Flush::Wal).violations.into_iter().next();
                return first.map(|found| (found.promise.to_owned(), found.text));
            }
            Story::Quorum => quorum::run(seed).violations.into_iter().next(),
            Story::Partition => partition::run(seed).violations.into_iter().next(),
            Story::Controller => controller::run(seed).violations.into_iter().next(),
            Story::Alone => swarm::run(seed, 1, Flush::Wal).violations.into_iter().next(),
            Story::Cluster => swarm::run(seed, 3, Flush::Wal).violations.into_iter().next(),
        };
        first.map(|found| (found.promise.to_owned(), found.text))
    }

    /// Where a plant can show itself at all.
    fn of(plant: Plant) -> Story {
        match plant {
            Plant::VoteNotPersisted
            | Plant::VotesTwice
            | Plant::IncompleteLogElected
            | Plant::OldEpochCommitted
            | Plant::LeaderCountsUnsynced
            | Plant::FollowerCountsUnsynced
            | Plant::CommittedBeforeCut
            | Plant::OldAnswerTaken
            | Plant::CutToHighWatermark
            | Plant::DivergenceOverlooked
            | Plant::LeaderCutsItself
            | Plant::LeaderAgainInItsEpoch
            | Plant::CheckQuorumForgotten => Story::Quorum,
            Plant::PendingIsrIgnored
            | Plant::JoinsBehind
            | Plant::IsrNeverGrows
            | Plant::PartitionCountsUnsynced
            | Plant::FollowerTellsUnsynced
            | Plant::MinInsyncForgotten
            | Plant::OldRecordsTaken
            | Plant::RefusalBelieved
            | Plant::ReplicaCutToHighWatermark => Story::Partition,
            Plant::FencedReplicaAdmitted
            | Plant::FormerLifeAdmitted
            | Plant::FormerLifeStaysInSync
            | Plant::EligibleAfterUncleanStop
            | Plant::FailoverForgotten
            | Plant::LastReplicaDropped
            | Plant::UncleanLeaderUnmarked
            | Plant::ReassignedTooEarly => Story::Controller,
            Plant::GroupAnsweredEarly
            | Plant::BatchBeforeStartRefused
            | Plant::FollowerForgetsProducers
            | Plant::LatestIsLogEnd
            | Plant::LatestTooEarly
            | Plant::DedicatedControllerMissed
            | Plant::ObserverLeftBehind
            | Plant::StrangerFollows
            | Plant::CopyKeepsWhatWasCut => Story::Cluster,
            Plant::MovedLogGoesEarly | Plant::CopyTakesOverBehind | Plant::EmptyForMissing => {
                Story::Alone
            }
            Plant::ReadAboveHighWatermark
            | Plant::MetadataNotLogged
            | Plant::MetadataAnsweredEarly
            | Plant::GroupReplayDropsLast => Story::PowerCut,
            Plant::OffsetsExpireWhileActive
            | Plant::OffsetsOfDeletedTopicStay
            | Plant::GenerationNotAdvanced
            | Plant::OldGenerationAccepted
            | Plant::FencingForgotten
            | Plant::DeadMemberStays => Story::GroupLife,
            _ => Story::LogLife,
        }
    }
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// Seeds for each plant at most.
    pub seeds: u64,
    /// Begin at the known seeds, and look no further than a few beyond.
    pub short: bool,
    /// Only this plant.
    pub only: Option<String>,
}

/// What gave a plant away.
struct Finding {
    seed: u64,
    /// The checker, or `assertion` for the code's own.
    promise: String,
    text: String,
}

/// Looks for every plant; the table goes to standard output. Says whether all were found, and
/// whether the same seeds without a plant are clean.
pub fn hunt(hunt: &Hunt) -> bool {
    std::panic::set_hook(Box::new(|_| {}));
    println!(
        "{:<28} {:<10} {:>5} {:>6} {:>7}  {:<13} lesson",
        "plant", "story", "seed", "seeds", "ms", "checker"
    );
    let (mut found, mut asked) = (0, 0);
    let mut wrong = Vec::new();
    for plant in Plant::ALL {
        if hunt.only.as_deref().is_some_and(|only| only != plant.name()) {
            continue;
        }
        if hunt.short && is_for_the_long_form(*plant) {
            continue;
        }
        asked += 1;
        let story = Story::of(*plant);
        let (start, seeds) = range(hunt, *plant);
        let begun = Instant::now();
        let finding = search(*plant, story, start, seeds);
        let row = |seed: &str, tried: u64, promise: &str| {
            println!(
                "{:<28} {:<10} {seed:>5} {tried:>6} {:>7}  {promise:<13} {}",
                plant.name(),
                story.word(),
                begun.elapsed().as_millis(),
                plant.lesson()
            );
        };
        match finding {
            Some(finding) => {
                found += 1;
                row(&finding.seed.to_string(), finding.seed - start + 1, &finding.promise);
                if hunt.only.is_some() {
                    println!("  {}", finding.text);
                }
                if let Some(violation) = judge(None, story, finding.seed) {
                    wrong.push(format!(
                        "{} seed {} without a plant: {}",
                        story.word(),
                        finding.seed,
                        violation.1
                    ));
                }
            }
            None => row("-", seeds, "NOT FOUND"),
        }
        let _ = std::io::stdout().flush();
    }
    println!("{found} of {asked} planted bugs found");
    wrong.iter().for_each(|text| println!("but {text}"));
    found == asked && asked > 0 && wrong.is_empty()
}

/// A dash instead of a seed: what finds it is too rare for the short form.
fn is_for_the_long_form(plant: Plant) -> bool {
    KNOWN.lines().filter_map(|line| line.split_once('\t')).any(|row| row == (plant.name(), "-"))
}

fn range(hunt: &Hunt, plant: Plant) -> (u64, u64) {
    let known = KNOWN.lines().filter_map(|line| line.split_once('\t'));
    let seed = known
        .filter(|(name, _)| *name == plant.name())
        .find_map(|(_, seed)| seed.trim().parse().ok());
    match (hunt.short, seed) {
        (true, Some(seed)) => (seed, WINDOW),
        _ => (0, hunt.seeds),
    }
}

fn search(plant: Plant, story: Story, start: u64, seeds: u64) -> Option<Finding> {
    (start..start + seeds).find_map(|seed| {
        let (promise, text) = judge(Some(plant), story, seed)?;
        Some(Finding { seed, promise, text })
    })
}

/// The first broken promise of a seed.
fn judge(plant: Option<Plant>, story: Story, seed: u64) -> Option<(String, String)> {
    activate(plant);
    let outcome = catch_unwind(AssertUnwindSafe(|| story.run(seed)));
    activate(None);
    match outcome {
        Ok(first) => first,
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Some(("assertion".to_owned(), text.unwrap_or_default()))
        }
    }
}
