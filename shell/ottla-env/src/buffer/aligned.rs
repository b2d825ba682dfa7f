//! One owned allocation of zeroed, page-aligned bytes of a fixed size. It never grows.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// What addresses and lengths are multiples of: a page, and the largest block disks ask for.
pub const ALIGNMENT: usize = 4096;

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
        // SAFETY: the layout is not of size zero.
        let start = unsafe { alloc_zeroed(layout) };
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
        // SAFETY: allocated in `zeroed` with this layout and freed only here.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
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
