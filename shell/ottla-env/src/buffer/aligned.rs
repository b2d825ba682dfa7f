//! One owned allocation of zeroed, page-aligned bytes of a fixed size. It never grows.
//!
//! Large ones are mappings of their own: they cost memory only where they are written to, and give it
//! back when they are dropped, whatever the allocator would do with so much.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// What addresses and lengths are multiples of: a page, and the largest block disks ask for.
pub const ALIGNMENT: usize = 4096;
/// Buffers of this size are mapped.
const MAPPED_FROM: usize = 1 << 20;

/// Zeroed bytes at a page boundary; the length is a multiple of [`ALIGNMENT`].
pub struct AlignedBuffer {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the memory is owned by this value alone and reached only through its borrows.
unsafe impl Send for AlignedBuffer {}
// SAFETY: a shared borrow only reads.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// At least `len` zeroed bytes, rounded up to whole pages (and never none).
    ///
    /// # Panics
    /// If the length does not fit the address space.
    pub fn zeroed(len: usize) -> AlignedBuffer {
        let pages = len.div_ceil(ALIGNMENT).max(1);
        let bytes = pages.checked_mul(ALIGNMENT).expect("a buffer fits the address space");
        let layout = Layout::from_size_align(bytes, ALIGNMENT)
            .expect("a buffer fits the address space, the alignment is a power of two");
        let start = if bytes >= MAPPED_FROM {
            let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
            // SAFETY: a fresh mapping where the kernel finds room: it overlays nothing.
            unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, access, flags) }
                .map_or(std::ptr::null_mut(), <*mut _>::cast)
        } else {
            // SAFETY: the layout is not of size zero.
            unsafe { alloc_zeroed(layout) }
        };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        AlignedBuffer { start, layout }
    }

    /// The first byte; for [`super::SharedBuffer`], which hands out parts.
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The length, without borrowing the bytes.
    pub(super) fn capacity(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        let (start, bytes) = (self.start.as_ptr(), self.layout.size());
        if bytes < MAPPED_FROM {
            // SAFETY: allocated in `zeroed` with this layout and freed only here.
            unsafe { dealloc(start, self.layout) }
            return;
        }
        // SAFETY: mapped in `zeroed` with this size and unmapped only here; nothing borrows it now.
        let unmapped = unsafe { munmap(start.cast(), bytes) };
        debug_assert!(unmapped.is_ok(), "a mapping of our own: {unmapped:?}");
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        // SAFETY: `layout.size()` initialised bytes, borrowed as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.layout.size()) }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and `&mut self` makes the borrow the only one.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.layout.size()) }
    }
}

impl std::fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlignedBuffer").field("len", &self.layout.size()).finish()
    }
}
