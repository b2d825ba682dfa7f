//! Flags that several commands share: which broker, and the shape of the load.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use ottla_protocol::records::Compression;

use crate::batches::Shape;
use crate::broker::Broker;
use crate::fault::{Fault, Outcome};

/// Which broker is measured.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// A broker that runs already.
    #[arg(short, long, value_name = "HOST:PORT", default_value = "127.0.0.1:9092")]
    bootstrap: String,
    /// Its process, to read its CPU and memory from /proc.
    #[arg(long, conflicts_with = "binary")]
    pid: Option<u32>,
    /// Start this Ottla binary on an empty folder instead, and stop it afterwards.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// A setting for the binary; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "binary")]
    settings: Vec<String>,
    /// Where the binary's folder is made; the file system that is measured.
    #[arg(long, value_name = "DIR", requires = "binary")]
    data: Option<PathBuf>,
    /// The binary's port; 0 takes a free one.
    #[arg(long, default_value_t = 0, requires = "binary")]
    port: u16,
}

impl Target {
    pub(crate) fn open(&self) -> Outcome<Broker> {
        match &self.binary {
            None => Ok(Broker::running(&self.bootstrap, self.pid)),
            Some(binary) => {
                let data = self.data.as_deref();
                Broker::ottla_on_empty_folder(binary, data, self.port, &self.settings)
            }
        }
    }
}

/// How long, and how it is told.
#[derive(Debug, Clone, Args)]
pub(crate) struct Course {
    /// Length of the measured part.
    #[arg(long, default_value_t = 10.0)]
    pub(crate) seconds: f64,
    /// Load before it that does not count.
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    pub(crate) warm_up: f64,
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: Output,
}

impl Course {
    pub(crate) fn length(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.1, 86_400.0))
    }

    pub(crate) fn warm_up(&self) -> Duration {
        Duration::from_secs_f64(self.warm_up.clamp(0.0, 3_600.0))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub(crate) enum Output {
    /// A table for people.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// The records of a load.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    #[arg(long, default_value = "bench")]
    pub(crate) topic: String,
    /// Partitions of the topic; as many as a request has, if not given.
    #[arg(long)]
    pub(crate) partitions: Option<i32>,
    /// A batch with its header, at most; one record if it is smaller than a record.
    #[arg(long, default_value_t = 65_536)]
    pub(crate) batch_bytes: usize,
    /// The value of a record.
    #[arg(long, default_value_t = 100)]
    pub(crate) record_bytes: usize,
    /// Batches in one request, each for a partition of its own.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) partitions_per_request: i32,
    #[arg(long, default_value_t = 2)]
    pub(crate) connections: usize,
    /// Requests that a connection has on the way at most.
    #[arg(long, default_value_t = 5)]
    pub(crate) in_flight: usize,
    /// Replicas that must have a record: 1 or all.
    #[arg(long, default_value = "all", value_parser = acks)]
    pub(crate) acks: i16,
    /// none, gzip, snappy, lz4, zstd.
    #[arg(long, default_value = "none", value_parser = codec)]
    pub(crate) codec: Compression,
    /// Number the batches, as an idempotent producer does.
    #[arg(long)]
    pub(crate) idempotent: bool,
    /// A setting of the topic; may be given many times.
    #[arg(long = "topic-config", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) configs: Vec<(String, String)>,
}

impl Load {
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            batch_bytes: self.batch_bytes,
            record_bytes: self.record_bytes,
            compression: self.codec,
        }
    }

    pub(crate) fn topic_partitions(&self) -> i32 {
        self.partitions.unwrap_or(self.partitions_per_request)
    }

    /// Says what cannot be.
    pub(crate) fn check(&self) -> Outcome<()> {
        let bad = |text: &str| Err(Fault::new(text));
        if self.connections == 0 || self.connections > 10_000 {
            return bad("--connections must be 1 to 10000");
        }
        if self.in_flight == 0 || self.in_flight > 1_000 {
            return bad("--in-flight must be 1 to 1000");
        }
        if self.idempotent && (self.in_flight > 5 || self.acks != -1) {
            return bad("--idempotent wants --acks all and --in-flight of at most 5");
        }
        if self.partitions_per_request < 1 || self.partitions_per_request > 10_000 {
            return bad("--partitions-per-request must be 1 to 10000");
        }
        if self.topic_partitions() < self.partitions_per_request {
            return bad("--partitions is smaller than --partitions-per-request");
        }
        if self.record_bytes > 64 << 20 || self.batch_bytes > 64 << 20 {
            return bad("--record-bytes and --batch-bytes may be 64 MiB at most");
        }
        Ok(())
    }
}

pub(crate) fn acks(text: &str) -> Result<i16, String> {
    match text {
        "1" => Ok(1),
        "all" | "-1" => Ok(-1),
        other => Err(format!("\"{other}\" is not 1 or all")),
    }
}

fn codec(text: &str) -> Result<Compression, String> {
    let known = Compression::from_name(text);
    known.ok_or_else(|| format!("\"{text}\" is not none, gzip, snappy, lz4 or zstd"))
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("\"{text}\" is not KEY=VALUE")),
    }
}
