//! The broker under measurement: one that runs already, or an Ottla started here on an empty folder.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::fault::{Fault, Outcome};

/// Longest wait for a broker to answer; recovery of a large log is in it.
const START_MAX: Duration = Duration::from_secs(300);
const STOP_MAX: Duration = Duration::from_secs(60);

/// A broker to measure. One that was started here is stopped when it is dropped.
pub(crate) struct Broker {
    pub(crate) address: String,
    /// `None`: somebody else's, of which nothing is known but the address.
    pub(crate) pid: Option<u32>,
    child: Option<Child>,
    /// Removed at the end if it was made here.
    folder: Option<Folder>,
}

/// A folder for data, gone when dropped.
pub(crate) struct Folder {
    pub(crate) path: PathBuf,
}

impl Folder {
    /// A new folder below `base`, or below the system's place for such.
    pub(crate) fn new(base: Option<&Path>, name: &str) -> Outcome<Folder> {
        let base = base.map_or_else(std::env::temp_dir, Path::to_path_buf);
        let moment = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let moment = moment.map_or(0, |since| since.subsec_nanos());
        let path = base.join(format!("ottla-bench-{}-{moment}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|error| Fault::new(format!("cannot make {}: {error}", path.display())))?;
        Ok(Folder { path })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

impl Broker {
    /// One that runs already.
    pub(crate) fn running(address: &str, pid: Option<u32>) -> Broker {
        Broker { address: address.to_owned(), pid, child: None, folder: None }
    }

    /// Starts Ottla on `port` (0: a free one) with its data in `folder`, and waits until it takes connections.
    pub(crate) fn ottla(
        binary: &Path,
        folder: &Path,
        port: u16,
        settings: &[String],
    ) -> Outcome<Broker> {
        let port = if port == 0 { free_port()? } else { port };
        let address = format!("127.0.0.1:{port}");
        let mut command = Command::new(binary);
        command.args(["server", "--listen", &address, "--data"]).arg(folder);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let log = std::fs::File::create(folder.with_extension("log"))?;
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn().map_err(
                |error| Fault::new(format!("cannot start {}: {error}", binary.display())),
            )?;
        let mut broker =
            Broker { address, pid: Some(child.id()), child: Some(child), folder: None };
        broker.wait_until_it_listens()?;
        Ok(broker)
    }

    /// As [`Broker::ottla`], in a folder of its own that goes with it.
    pub(crate) fn ottla_on_empty_folder(
        binary: &Path,
        base: Option<&Path>,
        port: u16,
        settings: &[String],
    ) -> Outcome<Broker> {
        let folder = Folder::new(base, "data")?;
        let data = folder.path.join("log");
        let mut broker = Broker::ottla(binary, &data, port, settings)?;
        broker.folder = Some(folder);
        Ok(broker)
    }

    pub(crate) fn wait_until_it_listens(&mut self) -> Outcome<()> {
        let begin = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            if let Some(child) = &mut self.child
                && let Some(status) = child.try_wait()?
            {
                return Err(Fault::new(format!("the broker ended at once: {status}")));
            }
            if begin.elapsed() > START_MAX {
                return Err(Fault::new(format!("{} does not answer", self.address)));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Asks it to stop and waits; kills it if it does not.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(child.id(), rustix::process::Signal::TERM);
        let begin = Instant::now();
        while begin.elapsed() < STOP_MAX {
            if matches!(child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid as i32) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
