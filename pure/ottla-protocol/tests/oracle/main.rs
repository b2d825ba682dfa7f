//! Apache Kafka's own serializers against ours: random values of every message in every version must become the
//! same bytes, and bytes the same values. Run by `cargo xtask oracle`, which says how to name Kafka.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, ExitCode, Stdio};

use bytes::Bytes;
use ottla_protocol::json::{Json, Random, Value};
use ottla_protocol::messages::*;
use ottla_protocol::{EncodeErrorKind, Message, decode_exact, encode_to_bytes};

/// One value of one message in one version.
struct Case {
    name: String,
    message: &'static str,
    version: i16,
    json: Value,
    hex: String,
    /// Our reading of another encoder's bytes, as JSON.
    reread: fn(Bytes, i16) -> Result<Value, String>,
}

fn main() -> ExitCode {
    match run() {
        Ok(summary) => {
            println!("{summary}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<String, String> {
    let command = std::env::var("KAFKA_WIRE_ORACLE")
        .map_err(|_| "KAFKA_WIRE_ORACLE must hold the command that runs Kafka's serializers")?;
    let values: u64 = setting("ORACLE_VALUES", 20)?;
    let seed: u64 = setting("ORACLE_SEED", 1)?;
    let known = list(&command)?;
    let mut cases = Vec::new();
    let mut served = BTreeMap::new();
    macro_rules! each {
        ($message:ident) => {
            let name = kafka_name($message::NAME);
            if let Some(range) = known.get(&name) {
                collect::<$message>(*range, &name, values, seed, &mut cases)?;
            }
            served.insert(name, ());
        };
    }
    ottla_protocol::for_each_message!(each);
    let missing: Vec<&String> = known.keys().filter(|name| !served.contains_key(*name)).collect();
    if !missing.is_empty() {
        return Err(format!("Kafka has messages without a schema here: {missing:?}"));
    }
    compare(&command, &cases)?;
    if let Ok(path) = std::env::var("ORACLE_VECTORS") {
        std::fs::write(&path, vectors(&cases)).map_err(|e| format!("{path}: {e}"))?;
    }
    Ok(format!(
        "{} messages, {} values: the same bytes and the same values",
        known.len(),
        cases.len()
    ))
}

fn setting(name: &str, default: u64) -> Result<u64, String> {
    match std::env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} must be a number")),
        Err(_) => Ok(default),
    }
}

/// Kafka's generated class.
fn kafka_name(message: &str) -> String {
    match ["Request", "Response", "Header"].iter().any(|end| message.ends_with(end)) {
        true => format!("{message}Data"),
        false => message.to_string(),
    }
}

/// Every message Kafka has, with its versions.
fn list(command: &str) -> Result<BTreeMap<String, (i16, i16)>, String> {
    let mut known = BTreeMap::new();
    for line in ask(command, "list\n".to_string())? {
        let words: Vec<&str> = line.split(' ').collect();
        if let [name, low, high] = words[..] {
            let number = |text: &str| text.parse::<i16>().map_err(|_| format!("odd list: {line}"));
            known.insert(name.to_string(), (number(low)?, number(high)?));
        }
    }
    match known.is_empty() {
        true => Err("Kafka listed no message".into()),
        false => Ok(known),
    }
}

fn collect<M: Message + Json + PartialEq + std::fmt::Debug>(
    (low, high): (i16, i16),
    name: &str,
    values: u64,
    seed: u64,
    cases: &mut Vec<Case>,
) -> Result<(), String> {
    if !M::VERSIONS.contains(&low) || *M::VERSIONS.end() != high {
        return Err(format!("{name}: Kafka has {low}-{high}, the schema {:?}", M::VERSIONS));
    }
    for version in low..=high {
        for i in 0..values {
            let mut random = Random::without_records(seed.wrapping_mul(1000).wrapping_add(i));
            let value = M::random(&mut random, version);
            let bytes = match encode_to_bytes(&value, version) {
                Ok(bytes) => bytes,
                // Records that may not be null cannot be given in Kafka's JSON.
                Err(e) if e.kind() == EncodeErrorKind::UnexpectedNull => continue,
                Err(e) => return Err(e.to_string()),
            };
            cases.push(Case {
                name: name.to_string(),
                message: M::NAME,
                version,
                json: value.to_json(version),
                hex: hex(&bytes),
                reread: |bytes, version| {
                    let value: M = decode_exact(bytes, version).map_err(|e| e.to_string())?;
                    Ok(value.to_json(version))
                },
            });
        }
    }
    Ok(())
}

fn compare(command: &str, cases: &[Case]) -> Result<(), String> {
    let mut requests = String::new();
    for Case { name, version, json, hex, .. } in cases {
        let _ = writeln!(requests, "encode {name} {version} {json}");
        let _ = writeln!(requests, "decode {name} {version} {hex}");
    }
    let answers = ask(command, requests)?;
    if answers.len() != 2 * cases.len() {
        return Err(format!("{} answers to {} questions", answers.len(), 2 * cases.len()));
    }
    let mut differences = Vec::new();
    for (case, answers) in cases.iter().zip(answers.chunks(2)) {
        if let Err(why) = judge(case, &answers[0], &answers[1]) {
            differences.push(format!("{} v{}: {why}", case.name, case.version));
        }
    }
    match differences.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{} of {} differ\n{}",
            differences.len(),
            cases.len(),
            differences[..differences.len().min(10)].join("\n")
        )),
    }
}

fn judge(case: &Case, encoded: &str, decoded: &str) -> Result<(), String> {
    if encoded != case.hex {
        return Err(format!("Kafka writes {encoded}, we write {}, of {}", case.hex, case.json));
    }
    let theirs: Value = serde_json::from_str(decoded)
        .map_err(|_| format!("Kafka reads {decoded} from {} of {}", case.hex, case.json))?;
    let ours = (case.reread)(unhex(&case.hex), case.version)?;
    if theirs != ours || ours != case.json {
        return Err(format!("Kafka reads {theirs}, we read {ours}, of {}", case.json));
    }
    Ok(())
}

/// Puts questions, one a line, to Kafka's program and takes its answers.
fn ask(command: &str, requests: String) -> Result<Vec<String>, String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{command}: {e}"))?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let output = child.stdout.take().ok_or("no standard output")?;
    let answers = std::thread::scope(|scope| {
        let writer = scope.spawn(move || input.write_all(requests.as_bytes()));
        let answers: Result<Vec<String>, _> = BufReader::new(output).lines().collect();
        let _ = writer.join();
        answers
    });
    child.wait().map_err(|e| e.to_string())?;
    answers.map_err(|e| e.to_string())
}

/// The cases as a file of golden bytes.
fn vectors(cases: &[Case]) -> String {
    let mut out = String::from(
        "# Bytes that Apache Kafka 4.4.0 wrote: message, version, body in hex, value in Kafka's JSON.\n",
    );
    for case in cases {
        let hex = if case.hex.is_empty() { "-" } else { &case.hex };
        let _ = writeln!(out, "{} {} {hex} {}", case.message, case.version, case.json);
    }
    out
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Bytes {
    let pairs = text.as_bytes().chunks(2);
    pairs.filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
