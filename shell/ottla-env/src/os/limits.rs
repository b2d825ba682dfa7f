//! Limits the operating system puts on the process, and those it puts on itself.

#![allow(unsafe_code)]

use std::cell::Cell;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::disable_transparent_huge_pages;
use rustix::time::{ClockId, clock_gettime};

/// How often a worker that goes to sleep looks through its heap, in nanoseconds.
const COLLECT_EVERY: i64 = 20_000_000;

thread_local! {
    /// When this thread last did.
    static COLLECTED: Cell<i64> = const { Cell::new(0) };
}

/// Raises the soft limit of open files to the hard one; says what holds now, `None` for no limit.
/// A refusal is no error: the soft limit then stands.
pub fn raise_file_limit() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if limit.current != limit.maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        return limit.maximum;
    }
    limit.current
}

/// Has memory handed out in small pages: with huge ones the process keeps 2 MiB for the first byte it
/// touches in each, several times what it uses. A refusal is no error.
pub fn use_small_pages() {
    let _huge_ones_stay = disable_transparent_huge_pages(true);
}

/// For a worker that goes to sleep: takes in what other threads freed of its heap, so that it may be given
/// back. The allocator does so by itself only where the thread asks for more memory of that size.
pub(super) fn collect_before_sleep() {
    // A clock that costs no look at the hardware: this is called after every burst of work.
    let now = clock_gettime(ClockId::MonotonicCoarse);
    let now = now.tv_sec.saturating_mul(1_000_000_000).saturating_add(now.tv_nsec);
    COLLECTED.with(|collected| {
        if now - collected.get() >= COLLECT_EVERY {
            collected.set(now);
            give_back_memory();
        }
    });
}

/// Gives memory back that was freed a while ago and not used again. The allocator does so by itself
/// only while it is asked for more. Does nothing in a program that has another allocator.
pub fn give_back_memory() {
    // SAFETY: it may be called by any thread at any time, and looks at the allocator's own lists alone.
    unsafe { libmimalloc_sys::mi_collect(false) }
}
