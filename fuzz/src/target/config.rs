//! Configuration as a person may write it: properties or TOML, and what is built from it.

use ottla_config::{BrokerConfig, Layers, parse};

use crate::Target;

/// All keys with their defaults as a typed configuration, and located errors with their texts.
const KEYS: usize = 1 << 20;

/// One byte for the form, then the text.
pub const CONFIG: Target = Target { name: "config", constant: KEYS, run: config, seeds: texts };

fn config(data: &[u8]) {
    let [form, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    let name = if form % 2 == 0 { "server.properties" } else { "ottla.toml" };
    match parse::file(name, text) {
        Ok(settings) => {
            if let Err(errors) = BrokerConfig::build(Layers::new(settings)) {
                assert!(!errors.is_empty(), "a refusal says why");
            }
        }
        Err(errors) => {
            let lines = text.lines().count().max(1) + 1;
            for error in errors {
                assert!(error.line <= lines, "line {} of {lines}", error.line);
                assert!(!error.message.is_empty(), "a refusal says why");
            }
        }
    }
}

fn texts() -> Vec<Vec<u8>> {
    let texts = [
        "\0log.dirs=/data\nnum.partitions = 3\nlisteners=PLAINTEXT://:9092\n# note\nssl.key: a\\\n b\n",
        "\x01num.partitions = 3\n[log]\nretention.ms = 5\ndirs = [\"/a\", \"/b\"]\n[ottla]\nflush = \"none\"\n",
        "\0log.retention.ms=-1\ngroup.max.size=5\nadvertised.listeners=PLAINTEXT://h:1\nmessage.max.bytes=1",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
