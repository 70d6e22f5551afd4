//! Memory for vectors: zeroed, on the boundary of a cache line, in large pages where there are any.
//!
//! A vector of sixteen numbers that does not start at a multiple of 64 bytes touches two cache
//! lines at every load. Activations are megabytes long and read many times in a step; in pages of
//! 2 MiB instead of 4 KiB the processor finds them without walking the page table.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

/// Bytes of a cache line.
const LINE: usize = 64;
/// Bytes of a large page.
const LARGE_PAGE: usize = 2 << 20;

/// A fixed number of `f32`, zero at first.
pub struct Buffer {
    start: NonNull<f32>,
    len: usize,
}

// SAFETY: a buffer owns its memory, as a `Box<[f32]>` does.
unsafe impl Send for Buffer {}
// SAFETY: as above; a shared buffer is only read.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        if len == 0 {
            return Self::default();
        }
        let layout = layout(len);
        // SAFETY: the layout is not empty.
        let start = unsafe { alloc(layout) }.cast::<f32>();
        let Some(start) = NonNull::new(start) else {
            handle_alloc_error(layout)
        };
        // Before the first touch, which zeroing is: pages that are there stay small.
        #[cfg(target_os = "linux")]
        if layout.align() == LARGE_PAGE {
            // SAFETY: advice on memory that was just allocated; it changes no byte, and a refusal
            // means small pages.
            unsafe { libc::madvise(start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE) };
        }
        // SAFETY: `len` numbers were allocated, and all bytes 0 is the number 0.
        unsafe { start.write_bytes(0, len) };
        Self { start, len }
    }
}

/// Where the memory lies: what fills a large page is aligned to one.
fn layout(len: usize) -> Layout {
    let bytes = len.checked_mul(size_of::<f32>());
    let align = match bytes {
        Some(bytes) if bytes >= LARGE_PAGE => LARGE_PAGE,
        _ => LINE,
    };
    bytes
        .and_then(|bytes| Layout::from_size_align(bytes, align).ok())
        .unwrap_or_else(|| panic!("a buffer of {len} numbers is larger than the address space"))
}

impl Default for Buffer {
    fn default() -> Self {
        Self {
            start: NonNull::dangling(),
            len: 0,
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len > 0 {
            // SAFETY: allocated with this very layout.
            unsafe { dealloc(self.start.as_ptr().cast(), layout(self.len)) };
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: `len` initialised numbers, owned by the buffer.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} numbers)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_aligned_and_independent() {
        for len in [0, 1, 17, LARGE_PAGE / 4, LARGE_PAGE / 2 + 3] {
            let mut buffer = Buffer::zeros(len);
            let other = Buffer::zeros(len);
            assert!(buffer.len() == len && buffer.iter().all(|&x| x == 0.0));
            assert!(len == 0 || (buffer.as_ptr() as usize).is_multiple_of(LINE));
            buffer.fill(1.0);
            assert!(other.iter().all(|&x| x == 0.0));
        }
    }

    #[test]
    fn an_emptied_buffer_can_be_taken_and_given_back() {
        let mut owner = Buffer::zeros(3);
        let mut taken = std::mem::take(&mut owner);
        taken[2] = 2.0;
        assert!(owner.is_empty());
        owner = taken;
        assert_eq!(&owner[..], [0.0, 0.0, 2.0]);
    }
}
