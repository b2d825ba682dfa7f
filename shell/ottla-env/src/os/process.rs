//! This very program, run again beside itself: the nodes of a cluster on one machine.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, getppid, kill_process};

/// A child process. It lives on when this is dropped; see [`end_with_parent`].
pub struct OsProcess {
    child: Child,
}

impl OsProcess {
    /// Runs this program with other arguments, without the variables that `without` names, its output
    /// appended to `log`. It is in a process group of its own: a ctrl-c in the terminal does not
    /// reach it. Must be called on a thread that lives as long as the process, the first one say.
    ///
    /// # Errors
    /// If the file cannot be written, or the process not be started.
    pub fn again(
        arguments: &[String],
        log: &Path,
        without: impl Fn(&str) -> bool,
    ) -> io::Result<OsProcess> {
        let output = OpenOptions::new().create(true).append(true).open(log)?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(arguments).process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(&without) {
                command.env_remove(&name);
            }
        }
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(OsProcess { child: command.spawn()? })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, in words; nothing while it runs.
    pub fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(match (status.code(), status.signal()) {
                (Some(code), _) => format!("exit code {code}"),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => "in an unknown way".to_owned(),
            }),
            // Somebody else waited for it.
            Err(_) => Some("in an unknown way".to_owned()),
        }
    }

    /// Asks it to end in good order. One that has ended is not asked.
    pub fn terminate(&self) {
        // It may have ended, but not been waited for: then nobody is there to listen.
        let _gone = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Has this process asked to end when the one that started it is gone, whose id is `parent`. Says
/// false if it is gone already.
///
/// # Errors
/// If the operating system cannot do that.
pub fn end_with_parent(parent: u32) -> io::Result<bool> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    let now = getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok());
    Ok(now == Some(parent))
}
