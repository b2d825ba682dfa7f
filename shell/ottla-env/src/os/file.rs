//! An open file of the operating system: positioned calls, no cursor, no retry of a failed sync.

#![allow(clippy::disallowed_types)]

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{FallocateFlags, fadvise, fallocate, fdatasync, sendfile};
use rustix::io::{Errno, ReadWriteFlags, preadv2, pwritev};

use crate::buffer::AlignedBuffer;
use crate::disk::{Advice, File};

/// Most slices pwritev(2) takes at once on Linux.
const SLICES_MAX: usize = 1024;
/// Zeroes written at a time when a file is allocated. The page cache keeps what is written at once as one
/// piece, and ext4 goes through all blocks of a piece at each later write into it: into pieces of a megabyte a
/// write of 512 bytes takes 2 us, into these 0.5.
const ZEROES_LEN: usize = 64 << 10;

/// Bytes between two probes: the page cache fills in steps of about this size.
const PROBE_STEP: u64 = 64 << 10;
const PAGE: u64 = 4096;

/// Pages that a range touches.
fn pages_of(position: u64, len: u64) -> u64 {
    (position + len).div_ceil(PAGE) - position / PAGE
}

/// An open file.
#[derive(Debug)]
pub struct OsFile {
    file: fs::File,
    direct: bool,
}

impl OsFile {
    pub(super) fn new(file: fs::File, direct: bool) -> OsFile {
        OsFile { file, direct }
    }

    /// One pwritev(2) of as many slices as it takes, the first without its `skip` bytes.
    fn write_some(&self, slices: &[&[u8]], skip: usize, position: u64) -> io::Result<usize> {
        let mut vector = Vec::with_capacity(slices.len().min(SLICES_MAX));
        for (index, slice) in slices.iter().take(SLICES_MAX).enumerate() {
            vector.push(IoSlice::new(if index == 0 { &slice[skip..] } else { slice }));
        }
        loop {
            match pwritev(&self.file, &vector, position) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// sendfile(2) to a socket that does not block.
    pub(super) fn send_to(
        &self,
        socket: impl AsFd,
        position: u64,
        len: usize,
    ) -> io::Result<usize> {
        let mut at = position;
        loop {
            match sendfile(&socket, &self.file, Some(&mut at), len) {
                Ok(count) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads a byte here and there: for kernels that do not say what is in memory.
    fn probe(&self, position: u64, len: u64) -> bool {
        let (end, mut at, mut byte) = (position + len, position, [0]);
        while at < end {
            if !matches!(self.try_read_at(&mut byte, at), Ok(1)) {
                return false;
            }
            at = if at + 1 == end { end } else { (at + PROBE_STEP).min(end - 1) };
        }
        true
    }

    fn write_zeroes(&self, len: u64) -> io::Result<()> {
        let zeroes = AlignedBuffer::zeroed(ZEROES_LEN);
        let mut position = 0;
        while position < len {
            let count = usize::try_from(len - position).unwrap_or(ZEROES_LEN).min(ZEROES_LEN);
            self.write_all_at(&zeroes[..count], position)?;
            position += count as u64;
        }
        Ok(())
    }
}

impl File for OsFile {
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.file.read_at(buf, position)
    }

    fn try_read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut into = [IoSliceMut::new(buf)];
        loop {
            match preadv2(&self.file, &mut into, position, ReadWriteFlags::NOWAIT) {
                Err(Errno::INTR) => {}
                // A file system that does not know: nothing is known to be in memory then.
                Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                answer => return Ok(answer?),
            }
        }
    }

    fn is_cached(&self, position: u64, len: u64) -> bool {
        residence::resident_pages(&self.file, position, len)
            .map_or_else(|| self.probe(position, len), |pages| pages >= pages_of(position, len))
    }

    fn write_all_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, position)
    }

    fn write_all_vectored_at(&self, slices: &[&[u8]], position: u64) -> io::Result<()> {
        let (mut rest, mut skip, mut position) = (slices, 0, position);
        loop {
            // Empty slices would make an empty write, which reads as an error.
            while rest.first().is_some_and(|slice| slice.len() == skip) {
                (rest, skip) = (&rest[1..], 0);
            }
            if rest.is_empty() {
                return Ok(());
            }
            let mut count = self.write_some(rest, skip, position)?;
            position += count as u64;
            while count > 0 {
                let step = count.min(rest[0].len() - skip);
                (skip, count) = (skip + step, count - step);
                if skip == rest[0].len() {
                    (rest, skip) = (&rest[1..], 0);
                }
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(fdatasync(&self.file)?)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    /// fallocate(2) alone leaves extents that the first write must convert, which costs a journal
    /// commit in every later fdatasync(2): so the zeroes are written, too.
    fn allocate(&self, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        match fallocate(&self.file, FallocateFlags::empty(), 0, len) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            Err(error) => return Err(error.into()),
        }
        self.write_zeroes(len)?;
        self.file.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn is_direct(&self) -> bool {
        self.direct
    }

    fn start_writeback(&self, position: u64, len: u64) -> io::Result<()> {
        writeback::start(&self.file, position, len)
    }

    fn advise(&self, position: u64, len: u64, advice: Advice) {
        let advice = match advice {
            Advice::WillNeed => rustix::fs::Advice::WillNeed,
            Advice::DontNeed => rustix::fs::Advice::DontNeed,
        };
        // A length of zero means to the end, to the kernel and here.
        let _ = fadvise(&self.file, position, NonZeroU64::new(len), advice);
    }
}

mod writeback {
    //! sync_file_range(2), which no crate we use wraps.

    #![allow(unsafe_code)]

    use std::ffi::{c_int, c_uint};
    use std::fs::File;
    use std::io;
    use std::os::fd::AsRawFd;

    /// Start the writing of dirty pages; wait for nothing.
    const SYNC_FILE_RANGE_WRITE: c_uint = 2;

    unsafe extern "C" {
        fn sync_file_range(fd: c_int, offset: i64, nbytes: i64, flags: c_uint) -> c_int;
    }

    pub(super) fn start(file: &File, position: u64, len: u64) -> io::Result<()> {
        let position = i64::try_from(position).map_err(io::Error::other)?;
        let len = i64::try_from(len).map_err(io::Error::other)?;
        // SAFETY: the descriptor is open while `file` is borrowed; no memory is passed.
        let answer =
            unsafe { sync_file_range(file.as_raw_fd(), position, len, SYNC_FILE_RANGE_WRITE) };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

mod residence {
    //! cachestat(2), which no crate we use wraps: how much of a file is in memory.

    #![allow(unsafe_code)]

    use std::ffi::{c_long, c_uint};
    use std::fs::File;
    use std::os::fd::AsRawFd;

    /// The number of the call on every architecture since Linux 6.5.
    const CACHESTAT: c_long = 451;

    #[repr(C)]
    struct Range {
        start: u64,
        len: u64,
    }

    #[repr(C)]
    #[derive(Default)]
    struct Counts {
        cached: u64,
        dirty: u64,
        writeback: u64,
        evicted: u64,
        recently_evicted: u64,
    }

    unsafe extern "C" {
        fn syscall(number: c_long, ...) -> c_long;
    }

    /// Pages in memory of those a range touches; `None` where the kernel does not say.
    pub(super) fn resident_pages(file: &File, position: u64, len: u64) -> Option<u64> {
        let range = Range { start: position, len };
        let mut counts = Counts::default();
        let (from, into) = (std::ptr::from_ref(&range), std::ptr::from_mut(&mut counts));
        // SAFETY: both structures have the kernel's layout and live throughout the call; the
        // descriptor is open while `file` is borrowed.
        let answer = unsafe { syscall(CACHESTAT, file.as_raw_fd(), from, into, 0 as c_uint) };
        (answer == 0).then_some(counts.cached)
    }
}
