//! One node of a cluster: Ottla or Apache Kafka on a folder, with the same server.properties.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::kafka;
use super::network::Network;

/// An orderly stop takes no longer.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// Lines of its log that are told where it ended by itself.
const TOLD_LINES: usize = 30;

/// What a node runs.
#[derive(Debug, Clone)]
pub(crate) enum Software {
    Ottla { binary: PathBuf },
    Kafka { libs: PathBuf },
}

/// A node that is killed, stopped for a while, cut off.
pub(crate) struct Node {
    pub(crate) id: u16,
    pub(crate) software: Software,
    pub(crate) is_broker: bool,
    pub(crate) is_controller: bool,
    pub(crate) has_two_directories: bool,
    /// host:port for the clients; of a controller alone, its controller listener.
    pub(crate) address: String,
    folder: PathBuf,
    child: Option<Child>,
    is_paused: bool,
}

impl Node {
    pub(crate) fn new(
        id: u16,
        software: Software,
        (is_broker, is_controller): (bool, bool),
        network: &Network,
        folder: &Path,
    ) -> Node {
        Node {
            id,
            software,
            is_broker,
            is_controller,
            has_two_directories: false,
            address: if is_broker { network.address(id) } else { network.controller(id) },
            folder: folder.join(format!("node-{id}")),
            child: None,
            is_paused: false,
        }
    }

    /// Where its files lie.
    pub(crate) fn data(&self) -> Vec<PathBuf> {
        let names = if self.has_two_directories { &["data", "data-2"][..] } else { &["data"] };
        names.iter().map(|name| self.disk().join(name)).collect()
    }

    /// Where a disk of its own belongs.
    pub(crate) fn disk(&self) -> PathBuf {
        self.folder.join("disk")
    }

    pub(crate) fn properties(&self) -> PathBuf {
        self.folder.join("server.properties")
    }

    /// Writes its settings down, and makes Kafka's data directory.
    pub(crate) fn prepare(
        &self,
        settings: &[(String, String)],
        cluster_id: &str,
        release: &str,
    ) -> Result<(), String> {
        std::fs::create_dir_all(&self.folder).map_err(|error| error.to_string())?;
        let text: String = settings.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
        std::fs::write(self.properties(), text).map_err(|error| error.to_string())?;
        match &self.software {
            Software::Ottla { .. } => Ok(()),
            Software::Kafka { libs, .. } => {
                kafka::format(libs, &self.folder, &self.properties(), cluster_id, release)
            }
        }
    }

    /// Starts it and does not wait.
    pub(crate) fn spawn(&mut self, network: &Network, cluster_id: &str) -> Result<(), String> {
        let path = self.folder.join("node.log");
        let log = std::fs::File::options().create(true).append(true).open(&path);
        let log = log.map_err(|error| format!("{}: {error}", path.display()))?;
        let mut command = match &self.software {
            Software::Ottla { binary } => {
                let mut command = network.command(self.id, binary);
                command.args(["server", "--config"]).arg(self.properties());
                command.env("CLUSTER_ID", cluster_id);
                command
            }
            Software::Kafka { libs, .. } => {
                let mut command = network.command(self.id, Path::new("java"));
                command.args(kafka::server(libs, &self.folder, &self.properties())?);
                command
            }
        };
        let child = command
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("node {}: {error}", self.id))?;
        self.child = Some(child);
        self.is_paused = false;
        Ok(())
    }

    pub(crate) fn is_running(&self) -> bool {
        self.child.is_some()
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Fails if it ended by itself.
    pub(crate) fn check(&mut self) -> Result<(), String> {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        match ended {
            Some(status) => {
                self.child = None;
                Err(format!("node {} ended by itself ({status}):\n{}", self.id, self.last()))
            }
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

    /// SIGSTOP: it does nothing any more, and its connections stay.
    pub(crate) fn pause(&mut self) {
        self.is_paused = true;
        self.signal("-STOP");
    }

    /// SIGCONT.
    pub(crate) fn resume(&mut self) {
        if self.is_paused {
            self.is_paused = false;
            self.signal("-CONT");
        }
    }

    /// SIGTERM; [`Node::await_end`] waits.
    pub(crate) fn ask_to_stop(&mut self) {
        self.resume();
        self.signal("-TERM");
    }

    /// Stops it in order; how long it took.
    pub(crate) fn stop(&mut self) -> Result<Duration, String> {
        self.ask_to_stop();
        self.await_end()
    }

    /// Waits until it has ended; kills it, and says so, if it does not.
    pub(crate) fn await_end(&mut self) -> Result<Duration, String> {
        let start = Instant::now();
        while let Some(child) = &mut self.child {
            if matches!(child.try_wait(), Ok(Some(_))) {
                self.child = None;
                break;
            }
            if start.elapsed() > STOP_LIMIT {
                self.kill();
                return Err(format!("node {} does not stop within {STOP_LIMIT:?}", self.id));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(start.elapsed())
    }

    pub(crate) fn is_ottla(&self) -> bool {
        matches!(self.software, Software::Ottla { .. })
    }

    fn signal(&self, signal: &str) {
        if let Some(pid) = self.pid() {
            let _ = Command::new("kill").args([signal, &pid.to_string()]).status();
        }
    }

    /// The end of its log.
    pub(crate) fn last(&self) -> String {
        let text = std::fs::read(self.folder.join("node.log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(TOLD_LINES)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
