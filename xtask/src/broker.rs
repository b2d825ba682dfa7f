//! The broker under test: the real binary on a free port with a folder of its own, stopped at the end.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::source;

const START_SECONDS_MAX: u64 = 20;

pub(crate) struct Broker {
    /// host:port for the clients.
    pub(crate) address: String,
    /// Where its files lie; empty for a broker that was not started here.
    pub(crate) data: PathBuf,
    child: Option<Child>,
}

impl Broker {
    /// A broker that somebody else runs.
    pub(crate) fn running(address: &str) -> Broker {
        Broker { address: address.to_string(), data: PathBuf::new(), child: None }
    }

    /// Builds the binary if none is given, and starts it with these settings (`key=value`, with `{port}`
    /// for its port).
    pub(crate) fn start(binary: Option<&str>, settings: &[&str]) -> Result<Broker, String> {
        let binary = match binary {
            Some(path) => PathBuf::from(path),
            None => build()?,
        };
        let port = free_port()?;
        let data =
            std::env::temp_dir().join(format!("ottla-conformance-{}-{port}", std::process::id()));
        let log = std::fs::File::create(data.with_extension("log")).map_err(|e| e.to_string())?;
        let address = format!("127.0.0.1:{port}");
        let of_port = |setting: &&str| setting.replace("{port}", &port.to_string());
        let settings: Vec<String> = settings.iter().map(of_port).collect();
        let child = Command::new(&binary)
            .args(["server", "--listen", &address, "--data"])
            .arg(&data)
            .args(settings.iter().flat_map(|setting| ["--set", setting]))
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(|e| e.to_string())?)
            .stderr(log)
            .spawn()
            .map_err(|error| format!("{}: {error}", binary.display()))?;
        let broker = Broker { address, data, child: Some(child) };
        broker.await_answer()?;
        Ok(broker)
    }

    fn await_answer(&self) -> Result<(), String> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(START_SECONDS_MAX) {
            if TcpStream::connect(&self.address).is_ok() {
                println!("broker answers after {} ms", start.elapsed().as_millis());
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let mut log = String::new();
        let path = self.data.with_extension("log");
        if let Ok(mut file) = std::fs::File::open(path) {
            let _ = file.read_to_string(&mut log);
        }
        Err(format!("the broker does not answer on {}:\n{log}", self.address))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        let _ = Command::new("kill").arg(child.id().to_string()).status();
        let start = Instant::now();
        while matches!(child.try_wait(), Ok(None)) && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        if matches!(child.try_wait(), Ok(None)) {
            println!("the broker did not stop within 10 s of SIGTERM, killed");
            let _ = child.kill();
        }
        let _ = std::fs::remove_dir_all(&self.data);
    }
}

fn build() -> Result<PathBuf, String> {
    let status = Command::new("cargo")
        .args(["build", "--release", "--locked", "-p", "ottla"])
        .current_dir(source::root())
        .status()
        .map_err(|error| error.to_string())?;
    if !status.success() {
        return Err("the binary does not build".to_string());
    }
    let target = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| source::root().join("target"), PathBuf::from);
    Ok(target.join("release/ottla"))
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    Ok(listener.local_addr().map_err(|error| error.to_string())?.port())
}
