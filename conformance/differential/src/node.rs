//! The Ottla under test: the real binary on a free port with a folder of its own, stopped at the end.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const START_SECONDS_MAX: u64 = 30;
const PAUSE: Duration = Duration::from_millis(2);
/// Settings that the Kafka of `tools/kafka` has, too.
const SETTINGS: [&str; 2] =
    ["group.initial.rebalance.delay.ms=0", "offsets.topic.num.partitions=5"];

pub(crate) struct Node {
    pub(crate) address: String,
    data: PathBuf,
    child: Child,
}

impl Node {
    /// Builds the binary if none is given, and starts it.
    pub(crate) fn start(root: &Path, binary: Option<&str>) -> Result<Node, String> {
        let binary = match binary {
            Some(path) => PathBuf::from(path),
            None => build(root)?,
        };
        let address = format!("127.0.0.1:{}", free_port()?);
        let data = std::env::temp_dir().join(format!("ottla-differential-{}", std::process::id()));
        let log = std::fs::File::create(data.with_extension("log")).map_err(|e| e.to_string())?;
        let mut command = Command::new(&binary);
        command.args(["server", "--listen", &address, "--data"]).arg(&data);
        for setting in SETTINGS {
            command.args(["--set", setting]);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|error| error.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let node = Node { address, data, child };
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(START_SECONDS_MAX) {
            if TcpStream::connect(&node.address).is_ok() {
                return Ok(node);
            }
            std::thread::sleep(PAUSE);
        }
        let log = std::fs::read_to_string(node.data.with_extension("log")).unwrap_or_default();
        Err(format!("{} does not answer on {}:\n{log}", binary.display(), node.address))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
        let _ = std::fs::remove_file(self.data.with_extension("log"));
    }
}

fn build(root: &Path) -> Result<PathBuf, String> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "-p", "ottla"])
        .current_dir(root)
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("the binary does not build".to_string());
    }
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/ottla"))
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}
