//! A node as a process: started on a free port in a folder of its own, killed when dropped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Longest wait for anything a node does.
const WAIT_MAX: Duration = Duration::from_secs(20);

/// Longest start: a node that joins others waits for them.
const START_MAX: Duration = Duration::from_secs(60);

/// A folder that is gone when the test ends.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("ottla-it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The binary, in a world without settings.
pub(crate) fn ottla(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.env_clear().current_dir(folder.path());
    command
}

/// Runs a command to its end. One that does not come to it is killed, and has no exit code then.
pub(crate) fn finish(command: &mut Command) -> Ended {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = piped.spawn().unwrap();
    let id = child.id();
    let output = within(id, WAIT_MAX, || child.wait_with_output().unwrap());
    Ended::new(&output)
}

/// Does `work`, and kills a process whose end it waits for if that takes too long.
fn within<T>(id: u32, limit: Duration, work: impl FnOnce() -> T) -> T {
    let (done, ended) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if ended.recv_timeout(limit).is_err() {
            let _ = Command::new("kill").args(["-KILL", &id.to_string()]).status();
        }
    });
    let output = work();
    let _ = done.send(());
    watch.join().unwrap();
    output
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

pub(crate) struct Node {
    child: Child,
    pub(crate) banner: String,
    pub(crate) address: SocketAddr,
    _out: BufReader<ChildStdout>,
}

impl Node {
    /// Starts a node and waits until it says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let banner = within(child.id(), START_MAX, || {
            let mut banner = String::new();
            while !banner.contains("\n  cluster") {
                if out.read_line(&mut banner).unwrap() == 0 {
                    let mut err = String::new();
                    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
                    panic!("the node ended: {banner}{err}");
                }
            }
            banner
        });
        let listener = banner.lines().nth(1).and_then(|line| line.split_whitespace().last());
        let address = listener.unwrap().parse().unwrap();
        Node { child, banner, address, _out: out }
    }

    /// The cluster's id, as the node says it.
    pub(crate) fn cluster(&self) -> String {
        let line = self.banner.lines().find(|line| line.starts_with("  cluster"));
        line.and_then(|line| line.split_whitespace().last()).unwrap().to_owned()
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits for the end; a node that does not end in time is killed, which is then its end.
    pub(crate) fn wait(mut self) -> Ended {
        let id = self.child.id();
        let (code, err) = within(id, WAIT_MAX, || {
            let mut err = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            (self.child.wait().unwrap().code(), err)
        });
        Ended { code, out: self.banner.clone(), err }
    }

    /// Sends one ApiVersions request and gives back the answer's first bytes: length, correlation.
    pub(crate) fn api_versions(&self) -> [u8; 8] {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(WAIT_MAX)).unwrap();
        // Length 10, key 18, version 0, correlation 7, client id null.
        stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).unwrap();
        answer
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
