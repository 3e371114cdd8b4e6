//! The heap after the start: what loading took is given back to the system.
//!
//! Beside the road, once. The loader of kernel programs reads the kernel's types, tens of megabytes
//! in small pieces; they are freed at once, but the allocator keeps the pages for the next time, of
//! which there is none.

#![expect(unsafe_code, reason = "malloc_trim(3) has no safe wrapper in the crates we use")]

/// Gives free pages back; where the C library is another than glibc, nothing is done.
pub(super) fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes no pointer, locks the allocator by itself, and moves nothing in use.
    let _was_any = unsafe { libc::malloc_trim(0) };
}
