//! The command line.

pub(crate) const USAGE: &str = "usage: cargo xtask differential [NAME..] [OPTION..]

Plays the scripts of conformance/differential/scripts against Ottla and compares each answer with Apache
Kafka's. NAME is a script's name, as listed, in which * stands for anything.

  --kafka HOST:PORT   ask this Kafka instead of what is recorded
  --record            write Kafka's answers to conformance/differential/recorded (with --kafka)
  --ottla HOST:PORT   a running Ottla, instead of one that is started
  --binary PATH       the binary to start, instead of building it
  --nodes 3           scripts/cluster, against three brokers and a controller (--kafka is a version then)
  --list              only list the scripts
  --show              print every answer
  -o json             a JSON object instead of text";

#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) names: Vec<String>,
    pub(crate) kafka: Option<String>,
    pub(crate) ottla: Option<String>,
    pub(crate) binary: Option<String>,
    /// Where the nodes of Ottla's cluster are stopped and started.
    pub(crate) control: Option<String>,
    /// Those of Kafka's.
    pub(crate) kafka_control: Option<String>,
    pub(crate) record: bool,
    pub(crate) list: bool,
    pub(crate) show: bool,
    pub(crate) json: bool,
}

pub(crate) fn parse(args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut args = args;
    while let Some(word) = args.next() {
        let mut value = || args.next().ok_or_else(|| format!("{word} wants a value\n\n{USAGE}"));
        match word.as_str() {
            "--kafka" => options.kafka = Some(value()?),
            "--ottla" => options.ottla = Some(value()?),
            "--binary" => options.binary = Some(value()?),
            // Both are written by the task that starts the clusters.
            "--control" => options.control = Some(value()?),
            "--kafka-control" => options.kafka_control = Some(value()?),
            "--record" => options.record = true,
            "--list" => options.list = true,
            "--show" => options.show = true,
            "-o" => match value()?.as_str() {
                "json" => options.json = true,
                "text" => {}
                other => return Err(format!("no output called {other}\n\n{USAGE}")),
            },
            other if other.starts_with('-') => {
                return Err(format!("no option {other}\n\n{USAGE}"));
            }
            name => options.names.push(name.to_owned()),
        }
    }
    match options.record && options.kafka.is_none() {
        true => Err(format!("--record needs --kafka\n\n{USAGE}")),
        false => Ok(options),
    }
}

impl Options {
    pub(crate) fn is_cluster(&self) -> bool {
        self.control.is_some()
    }
}
