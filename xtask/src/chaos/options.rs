//! What was asked of `chaos` and `mixed`, and the clusters they are done to.

use std::path::PathBuf;
use std::time::Duration;

use super::plan::Act;
use crate::cluster::Seat;
use crate::cluster::kafka;
use crate::cluster::node::Software;
use crate::torture::{drivers, node};

pub(crate) const CHAOS: &str = "usage: cargo xtask chaos [OPTIONS]

  --rounds N        disturb the cluster so often (10)
  --seconds S       no further round after so long
  --seed X          the choices (1)
  --acts A,B        only these of kill, kill-two, kill-all, power, power-all, restart, pause, unplug, split,
                    mute, ring, flap, move; or shift besides, which none is if not given: a node has two log
                    directories then, and its replicas are moved from one to the other
  --layout WORDS    the nodes, as for mixed (ottla,ottla,ottla)
  --measure WHAT    no rounds: the time from a kill until writes flow again, so many times as there are rounds, of
                    the `leader` of a partition or of the `controller`
  --partitions N    with --measure: so many partitions in the cluster
  --binary PATH     the broker; built with --release if it is not given
  --clients A,B     of python (librdkafka), java, rust (ottla-client); all if not given; or kafkajs, alone
  --rate N          records a second of each of the six producers, about (100)
  --set KEY=VALUE   a setting of every node; may be given many times
  --usual-timeouts  sessions and elections take as long as they do by default
  --control         all nodes lose their power half way, and with `--set ottla.flush=none` what they
                    acknowledged: the judge must notice
  --keep            leave data, logs and history where they are
  -o json           the result as JSON
Nodes live in network namespaces of their own; where those may not be, the network is not cut. Their
files lie on disks of their own (ext4 in a file) that lose what is not synced; where those may not be, no
power is cut, and the control cuts bytes off.";

pub(crate) const MIXED: &str = "usage: cargo xtask mixed [OPTIONS]

Clusters of Ottla and Apache Kafka together, disturbed as by chaos, whose options it has, and
  --layout WORDS    a node each: ottla or kafka, after a colon b (broker) or c (controller), else both.
                    All of these if it is not given:
                      kafka,kafka,ottla     kafka,ottla,ottla     kafka,ottla:b,ottla:b     ottla,kafka:b,kafka:b
  --kafka VERSION   of Apache Kafka (4.4.0)";

/// The clusters of `mixed`.
const LAYOUTS: [&str; 4] =
    ["kafka,kafka,ottla", "kafka,ottla,ottla", "kafka,ottla:b,ottla:b", "ottla,kafka:b,kafka:b"];

/// So that a death is found out soon, and many fit into a run.
const SOON: [&str; 7] = [
    "broker.session.timeout.ms=1500",
    "broker.heartbeat.interval.ms=200",
    "controller.quorum.fetch.timeout.ms=1000",
    "controller.quorum.election.timeout.ms=500",
    "controller.quorum.election.backoff.max.ms=250",
    "replica.lag.time.max.ms=3000",
    "replica.fetch.wait.max.ms=200",
];

/// Whose death is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    Leader,
    Controller,
}

/// What was asked for.
pub(crate) struct Options {
    pub(crate) rounds: u64,
    pub(crate) limit: Option<Duration>,
    pub(crate) seed: u64,
    pub(crate) acts: Vec<Act>,
    pub(crate) layouts: Vec<String>,
    pub(crate) measure: Option<Measure>,
    pub(crate) partitions: i32,
    pub(crate) binary: Option<PathBuf>,
    pub(crate) kafka: String,
    pub(crate) clients: Vec<String>,
    pub(crate) rate: u64,
    pub(crate) settings: Vec<String>,
    pub(crate) control: bool,
    pub(crate) keep: bool,
    pub(crate) json: bool,
}

impl Options {
    pub(crate) fn parse(args: &[String], mixed: bool) -> Result<Options, String> {
        let usage = if mixed { MIXED } else { CHAOS };
        let layouts = if mixed { LAYOUTS.to_vec() } else { vec!["ottla,ottla,ottla"] };
        let mut options = Options {
            rounds: 10,
            limit: None,
            seed: 1,
            acts: Act::ALL.to_vec(),
            layouts: layouts.into_iter().map(str::to_string).collect(),
            measure: None,
            partitions: 8,
            binary: None,
            kafka: "4.4.0".to_string(),
            clients: drivers::USUAL.map(str::to_string).to_vec(),
            rate: 100,
            settings: Vec::new(),
            control: false,
            keep: false,
            json: false,
        };
        let mut soon = true;
        let mut words = args.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--control" => options.control = true,
                "--keep" => options.keep = true,
                "--usual-timeouts" => soon = false,
                _ => {
                    let value =
                        words.next().ok_or_else(|| format!("{word} wants a value\n{usage}"))?;
                    options.take(word, value).map_err(|error| format!("{error}\n{usage}"))?;
                }
            }
        }
        if soon {
            // What was said wins.
            options.settings.splice(0..0, SOON.map(str::to_string));
        }
        Ok(options)
    }

    fn take(&mut self, word: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|_| format!("\"{value}\" is no number"));
        match word {
            "--rounds" => self.rounds = number()?,
            "--seconds" => self.limit = Some(Duration::from_secs(number()?)),
            "--seed" => self.seed = number()?,
            "--rate" => self.rate = number()?.max(1),
            "--partitions" => {
                self.partitions = i32::try_from(number()?).map_err(|error| error.to_string())?;
            }
            "--acts" => self.acts = acts(value)?,
            "--layout" => self.layouts = vec![value.to_string()],
            "--measure" => {
                self.measure = Some(match value {
                    "leader" => Measure::Leader,
                    "controller" => Measure::Controller,
                    _ => return Err(format!("nothing to measure: {value}")),
                });
            }
            "--binary" => self.binary = Some(PathBuf::from(value)),
            "--kafka" => self.kafka = value.to_string(),
            "--clients" => self.clients = clients(value)?,
            "--set" => self.settings.push(value.to_string()),
            "-o" => self.json = value == "json",
            _ => return Err(format!("what is {word}?")),
        }
        Ok(())
    }

    /// Whether topics come and go.
    pub(crate) fn churns(&self) -> bool {
        !self.control && self.layouts.iter().all(|layout| layout.split(',').count() >= 3)
    }

    /// The nodes of a layout; fetches Kafka where one is to run it.
    pub(crate) fn seats(&self, layout: &str) -> Result<Vec<Seat>, String> {
        layout.split(',').map(|word| self.seat(word)).collect()
    }

    fn seat(&self, word: &str) -> Result<Seat, String> {
        let (name, roles) = word.split_once(':').unwrap_or((word, "bc"));
        let software = match name {
            "ottla" => {
                let binary = self.binary.clone().ok_or("no binary of Ottla")?;
                Software::Ottla { binary }
            }
            "kafka" => Software::Kafka { libs: kafka::jars(&self.kafka)? },
            _ => return Err(format!("{name} is no software for a node")),
        };
        let (is_broker, is_controller) = (roles.contains('b'), roles.contains('c'));
        if !(is_broker || is_controller) || roles.len() > 2 {
            return Err(format!("{word}: roles are b, c or both"));
        }
        let has_two_directories = self.acts.contains(&Act::Shift);
        if has_two_directories && name != "ottla" {
            return Err("shift is for clusters of Ottla alone".to_string());
        }
        Ok(Seat { software, is_broker, is_controller, has_two_directories })
    }

    /// Builds and fetches what is needed while there is still a network.
    pub(crate) fn install(&mut self) -> Result<(), String> {
        drivers::install(&self.clients)?;
        let needs_ottla = self.layouts.iter().any(|layout| layout.contains("ottla"));
        if needs_ottla && self.binary.is_none() {
            self.binary = Some(node::build()?);
        }
        if let Some(binary) = &self.binary {
            let found = binary.canonicalize();
            let found = found.map_err(|error| format!("{}: {error}", binary.display()))?;
            self.binary = Some(found);
        }
        for layout in &self.layouts {
            self.seats(layout)?;
        }
        Ok(())
    }
}

fn acts(words: &str) -> Result<Vec<Act>, String> {
    words.split(',').map(|word| Act::named(word).ok_or_else(|| format!("no act {word}"))).collect()
}

fn clients(words: &str) -> Result<Vec<String>, String> {
    let clients: Vec<String> = words.split(',').map(str::to_string).collect();
    match clients.iter().find(|client| !drivers::NAMES.contains(&client.as_str())) {
        Some(unknown) => Err(format!("no client {unknown}; there are {:?}", drivers::NAMES)),
        None => Ok(clients),
    }
}
