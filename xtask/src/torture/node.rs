//! The broker: the real binary with a port and a directory that stay the same through its deaths.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::source;

/// It answers within this after a start, or something is wrong.
const START_LIMIT: Duration = Duration::from_secs(60);
/// Below the ports that the system gives to clients: none of them takes it while nobody listens.
const PORTS: std::ops::Range<u16> = 23_000..24_000;

/// A broker that is killed.
pub(crate) struct Node {
    binary: PathBuf,
    log: PathBuf,
    settings: Vec<String>,
    /// Where its files lie.
    pub(crate) data: PathBuf,
    /// host:port for the clients.
    pub(crate) address: String,
    child: Option<Child>,
}

impl Node {
    pub(crate) fn new(binary: &Path, folder: &Path, settings: &[String]) -> Result<Node, String> {
        let first = PORTS.start + (std::process::id() % 1_000) as u16;
        let port = (first..PORTS.end)
            .chain(PORTS.start..first)
            .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
            .ok_or_else(|| format!("no free port in {PORTS:?}"))?;
        Ok(Node {
            binary: binary.to_path_buf(),
            log: folder.join("broker.log"),
            settings: settings.to_vec(),
            data: folder.join("data"),
            address: format!("127.0.0.1:{port}"),
            child: None,
        })
    }

    /// Starts it, and says how long it took to answer.
    pub(crate) fn start(&mut self) -> Result<Duration, String> {
        let start = Instant::now();
        self.spawn()?;
        while start.elapsed() < START_LIMIT {
            if TcpStream::connect(&self.address).is_ok() {
                return Ok(start.elapsed());
            }
            self.check()?;
            std::thread::sleep(Duration::from_millis(1));
        }
        Err(format!("the broker does not answer {START_LIMIT:?} after a start:\n{}", self.last()))
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(&mut self) -> Result<(), String> {
        let log = std::fs::File::options().create(true).append(true).open(&self.log);
        let log = log.map_err(|error| format!("{}: {error}", self.log.display()))?;
        let mut command = Command::new(&self.binary);
        command.args(["server", "--listen", &self.address, "--data"]).arg(&self.data);
        // Its lives are shorter than the time a new group usually waits for more members, and than
        // the usual sessions: a member that is gone would never be found out.
        command.args(["--set", "group.initial.rebalance.delay.ms=0"]);
        command.args(["--set", "group.min.session.timeout.ms=1000"]);
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", self.binary.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Fails if it ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        match ended {
            Some(status) => Err(format!("the broker ended by itself ({status}):\n{}", self.last())),
            None => Ok(()),
        }
    }

    /// SIGKILL: nothing of it runs after this.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        if let Some(child) = &self.child {
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(10) && self.check().is_ok() {
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        self.kill();
    }

    /// A topic whose segments roll often and of which nothing is ever deleted.
    pub(crate) fn create_topic(&self, name: &str, partitions: u32) -> Result<(), String> {
        let output = Command::new(&self.binary)
            .args(["topic", "create", name, "--bootstrap", &self.address])
            .args(["--partitions", &partitions.to_string()])
            .args(["--config", "segment.bytes=1048576", "--config", "retention.ms=-1"])
            .args(["--config", "retention.bytes=-1"])
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!("topic {name}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    pub(crate) fn bytes_on_disk(&self) -> u64 {
        let output = Command::new("du").arg("-sb").arg(&self.data).output();
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
        text.ok().and_then(|t| t.split('\t').next()?.parse().ok()).unwrap_or(0)
    }

    /// The end of its log.
    fn last(&self) -> String {
        const LINES: usize = 30;
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary as it is released.
pub(crate) fn build() -> Result<PathBuf, String> {
    cargo(&["build", "--release", "--locked", "-p", "ottla"])?;
    Ok(target().join("release/ottla"))
}

pub(crate) fn cargo(args: &[&str]) -> Result<(), String> {
    let status = Command::new("cargo").args(args).current_dir(source::root()).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo {}: {status}", args.join(" "))),
        Err(error) => Err(format!("cargo {}: {error}", args.join(" "))),
    }
}

pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| source::root().join("target"), PathBuf::from)
}
