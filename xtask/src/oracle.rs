//! `cargo xtask oracle`: our messages against Apache Kafka's own serializers. It only finds and starts things; the
//! comparing is done by the protocol crate's `oracle` test.

use std::process::Command;

use crate::codegen::protocol_dir;

const USAGE: &str = "usage: KAFKA_WIRE_ORACLE='command' cargo xtask oracle [--values N] [--seed N] [--write-vectors]
The command must answer `list`, `encode NAME VERSION JSON` and `decode NAME VERSION HEX`, a line each.";

pub(crate) fn run(args: &[String]) -> Result<(), String> {
    if std::env::var_os("KAFKA_WIRE_ORACLE").is_none() {
        return Err(USAGE.to_string());
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--quiet", "--package", "ottla-protocol", "--test", "oracle"]);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--values" => cargo.env("ORACLE_VALUES", args.next().ok_or(USAGE)?),
            "--seed" => cargo.env("ORACLE_SEED", args.next().ok_or(USAGE)?),
            "--write-vectors" => {
                cargo.env("ORACLE_VECTORS", protocol_dir().join("tests/vectors/kafka-4.4.0.txt"))
            }
            _ => return Err(USAGE.to_string()),
        };
    }
    match cargo.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err("Kafka disagrees".to_string()),
        Err(e) => Err(format!("cannot run cargo: {e}")),
    }
}
