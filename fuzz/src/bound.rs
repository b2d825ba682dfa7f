//! Counts what an execution allocates, and ends the process when it holds more than it may.
//!
//! The limit is on the bytes held at one time beyond those held at the beginning, so one huge
//! allocation counts whole and a thousand small ones that were given back do not.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static LIMIT: Cell<isize> = const { Cell::new(isize::MAX) };
}

/// The largest peak of any execution so far, beyond four times its input.
static MOST: AtomicUsize = AtomicUsize::new(0);
/// A larger one than this is said.
static TOLD: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted.
struct Counted;

#[global_allocator]
static COUNTED: Counted = Counted;

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) };
        take(layout.size());
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are held while the bytes move.
        add(size);
        let moved = unsafe { System.realloc(at, layout, size) };
        take(layout.size());
        moved
    }
}

fn add(bytes: usize) {
    let _ = HELD.try_with(|held| {
        let now = held.get().saturating_add_unsigned(bytes);
        held.set(now);
        PEAK.with(|peak| peak.set(peak.get().max(now)));
        LIMIT.with(|limit| {
            if now > limit.get() {
                let most = limit.replace(isize::MAX);
                stop(bytes, now, most);
            }
        });
    });
}

fn take(bytes: usize) {
    let _ = HELD.try_with(|held| held.set(held.get().saturating_sub_unsigned(bytes)));
}

#[cold]
fn stop(asked: usize, held: isize, limit: isize) -> ! {
    let mut stderr = std::io::stderr();
    let _ = writeln!(
        stderr,
        "ALLOCATION: {asked} bytes asked for, {held} held where {limit} are allowed\n{}",
        std::backtrace::Backtrace::force_capture()
    );
    std::process::abort();
}

/// Runs `body`, which may hold `4 x input + constant` bytes at a time.
pub fn within(input: usize, constant: usize, body: impl FnOnce()) {
    let before = HELD.get();
    let allowed = input.saturating_mul(4).saturating_add(constant);
    PEAK.set(before);
    LIMIT.set(before.saturating_add_unsigned(allowed));
    body();
    LIMIT.set(isize::MAX);
    let peak = usize::try_from(PEAK.get() - before).unwrap_or(0);
    let beyond = peak.saturating_sub(input * 4);
    let most = MOST.load(Ordering::Relaxed);
    if beyond > most {
        MOST.store(beyond, Ordering::Relaxed);
        // Not at every byte more: a line of its own for each would drown the rest.
        if std::env::var_os("FUZZ_SEEDS").is_some() && beyond > TOLD.load(Ordering::Relaxed) {
            TOLD.store(beyond + beyond / 8, Ordering::Relaxed);
            eprintln!("HELD {beyond} bytes beyond four times an input of {input}");
        }
    }
}

/// The largest peak beyond four times the input that any execution has had.
pub fn most() -> usize {
    MOST.load(Ordering::Relaxed)
}
