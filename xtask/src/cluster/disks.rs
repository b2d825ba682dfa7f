//! A disk for each node: a file system in a file, which can lose what was not synced, as a machine does
//! that loses its power.
//!
//! The system writes what is dirty whenever it likes, and a process that is killed loses nothing of it.
//! Here the file system is shut down as ext4 does it at a fatal error, without its journal and without
//! what is dirty, and mounted again: what is there then is what had reached the disk.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// More than any run writes; what is not written takes no room.
const SIZE: &str = "8G";
/// EXT4_IOC_SHUTDOWN without flushing the journal, for which no tool is to be found everywhere.
const SHUTDOWN: &str = "import fcntl, os, struct, sys\n\
    fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";
/// A process that was killed may hold its files for a moment.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// One node's disk.
pub(crate) struct Disk {
    image: PathBuf,
    mount: PathBuf,
}

impl Disk {
    /// Makes one for whoever keeps its files below `mount`. Needs to be root, of the machine and not only
    /// of a network.
    fn make(mount: &Path) -> Result<Disk, String> {
        std::fs::create_dir_all(mount).map_err(|error| error.to_string())?;
        let image = mount.with_extension("image");
        let disk = Disk { image, mount: mount.to_path_buf() };
        run(Command::new("truncate").args(["-s", SIZE]).arg(&disk.image))?;
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(&disk.image))?;
        disk.mount()?;
        // What is found beside the data would be taken for a part of it.
        let _ = std::fs::remove_dir(disk.mount.join("lost+found"));
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.mount))
    }

    /// What is dirty is written, as the system may do at any time.
    pub(crate) fn sync(&self) -> Result<(), String> {
        run(Command::new("sync").arg("-f").arg(&self.mount))
    }

    /// The power goes and comes back. Nobody may use the disk.
    pub(crate) fn lose_power(&self) -> Result<(), String> {
        run(Command::new("python3").args(["-c", SHUTDOWN]).arg(&self.mount))?;
        let start = Instant::now();
        while let Err(error) = run(Command::new("umount").arg(&self.mount)) {
            if start.elapsed() > BUSY_MAX {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.mount()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: whoever still uses it is about to end.
        let _ = Command::new("umount").arg("-l").arg(&self.mount).output();
    }
}

/// A disk for each of these places; none at all where that may not be.
pub(crate) fn make(mounts: &[PathBuf]) -> Vec<Disk> {
    let made: Result<Vec<Disk>, String> = mounts.iter().map(|mount| Disk::make(mount)).collect();
    made.unwrap_or_else(|error| {
        println!("no disks of their own here ({error}): no power is cut");
        Vec::new()
    })
}

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
