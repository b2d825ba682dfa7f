//! The clients, how each is installed and how it is run.

use std::process::Command;

use crate::source;

/// A client of Kafka and its runner below `conformance/`.
pub(crate) struct Client {
    /// What it is called on the command line and in the table.
    pub(crate) name: &'static str,
    /// Its folder below `conformance/`.
    pub(crate) folder: &'static str,
    /// Installs what it needs, by package name; nothing where that is there already.
    install: &'static str,
    /// Runs it, in its folder.
    pub(crate) run: &'static str,
    /// Wants so many nodes.
    pub(crate) nodes: u16,
}

const PYTHON: &str = "test -x .venv/bin/python -a .venv/done -nt requirements.txt || \
    { python3 -m venv .venv && .venv/bin/pip install -q -r requirements.txt && touch .venv/done; }";
const JAVA: &str = "test target/libs -nt pom.xml || \
    { mvn -q -B dependency:copy-dependencies -DoutputDirectory=target/libs -DincludeScope=runtime && \
      touch target/libs; }";

/// In the order of the table.
pub(crate) const CLIENTS: [Client; 9] = [
    Client {
        name: "kafkajs",
        folder: "kafkajs",
        install: "test -d node_modules/kafkajs || npm ci --no-audit --no-fund --silent",
        run: "node run.js",
        nodes: 1,
    },
    Client {
        name: "confluent-kafka",
        folder: "python",
        install: PYTHON,
        run: ".venv/bin/python confluent.py",
        nodes: 1,
    },
    Client {
        name: "kcat",
        folder: "kcat",
        install: "command -v kcat >/dev/null || \
            { apt-get update -qq && apt-get install -y -qq kcat >/dev/null; }",
        run: "./run.sh",
        nodes: 1,
    },
    Client {
        name: "kafka-python",
        folder: "python",
        install: PYTHON,
        run: ".venv/bin/python kafka_python.py",
        nodes: 1,
    },
    Client {
        name: "aiokafka",
        folder: "python",
        install: PYTHON,
        run: ".venv/bin/python aio.py",
        nodes: 1,
    },
    Client {
        name: "franz-go",
        folder: "franz-go",
        install: "go build -o franz-go .",
        run: "./franz-go",
        nodes: 1,
    },
    Client {
        name: "java",
        folder: "java",
        install: JAVA,
        run: "java -cp 'target/libs/*' Conformance.java 2>/dev/null",
        nodes: 1,
    },
    Client {
        name: "kafka-tools",
        folder: "java",
        install: JAVA,
        run: "KAFKA_LIBS=$PWD/target/libs ./tools.sh",
        nodes: 1,
    },
    Client {
        name: "cluster-tools",
        folder: "java",
        install: JAVA,
        run: "KAFKA_LIBS=$PWD/target/libs ./cluster.sh",
        nodes: 3,
    },
];

impl Client {
    pub(crate) fn install(&self) -> Result<(), String> {
        let output = Command::new("bash")
            .args(["-c", self.install])
            .current_dir(source::root().join("conformance").join(self.folder))
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("cannot be installed: {}", text.lines().last().unwrap_or("")))
    }
}
