//! A ring buffer of the kernel's, to byte slices: the shared memory, and nothing else.
//!
//! In: a `BPF_MAP_TYPE_RINGBUF`. Out: records, oldest first, with the position after each.
//!
//! Reading and releasing are two acts: [`Ring::read`] gives records from any position on that was
//! not released; only [`Ring::commit`] lets the kernel overwrite what lies before. A reader that
//! dies in between, and another that opens the same (pinned) ring, therefore finds every record
//! again. This is why the loader library's own consumer is not used: it releases as it reads.
//!
//! Positions count bytes since the ring was made and only rise. The layout (kernel/bpf/ringbuf.c):
//!
//! ```text
//! page 0   consumer position u64, which user space writes
//! page 1   producer position u64, which the kernel writes
//! then     the data, mapped twice in a row, so that no record has a seam
//! record   length u32 (bit 31: being written, bit 30: discarded) · 4 of the kernel's · bytes,
//!          rounded up to 8
//! ```
//! Only a window of the data is mapped at a time: a mapped page counts as the agent's memory, and
//! a whole ring twice would be most of it.
//!
//! The only home of unsafe code in the sensors. What makes it sound: a mapping lives as long as its
//! [`Mapping`] does; every access is checked against its length; a record's slice is only borrowed
//! while the ring is, and the kernel writes to no byte between the consumer's and the producer's
//! position but the header of a record that is being written, which is read as an atomic.

#![expect(unsafe_code, reason = "the ring is memory that the kernel writes to while we read")]

use std::{
    io,
    ops::ControlFlow,
    os::fd::{AsFd, BorrowedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use aya::maps::MapData;
use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    param::page_size,
};

/// Bytes of the data that are mapped at a time (chosen: a hundred microseconds' worth of remapping
/// per megabyte of records).
const WINDOW_BYTES: usize = 256 << 10;

/// Bytes in front of each record.
const HEADER_BYTES: u64 = 8;

/// The record is being written. `BPF_RINGBUF_BUSY_BIT` in include/uapi/linux/bpf.h.
const BUSY: u32 = 1 << 31;

/// The record was given up by its writer. `BPF_RINGBUF_DISCARD_BIT`.
const DISCARDED: u32 = 1 << 30;

/// A ring buffer, open for reading.
#[derive(Debug)]
pub struct Ring {
    map: MapData,
    consumer: Mapping,
    producer: Mapping,
    window: Option<Window>,
    /// Of the data; a power of two, a multiple of the page size.
    bytes: u64,
}

/// A part of the data, and where in the ring it begins.
#[derive(Debug)]
struct Window {
    mapping: Mapping,
    /// Offset in the data of its first byte, a multiple of the page size.
    start: u64,
}

impl Ring {
    /// Opens the ring `map`.
    ///
    /// # Errors
    /// What the kernel says, or [`io::ErrorKind::InvalidData`] when `map` is no ring.
    pub fn open(map: MapData) -> io::Result<Self> {
        let info = map.info().map_err(io::Error::other)?;
        let bytes = u64::from(info.max_entries());
        let page = page_size();
        if !bytes.is_power_of_two() || to_usize(bytes) < page {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a ring buffer"));
        }
        let fd = map.fd().as_fd();
        let consumer = Mapping::new(fd, 0, page, ProtFlags::READ | ProtFlags::WRITE)?;
        let producer = Mapping::new(fd, page, page, ProtFlags::READ)?;
        Ok(Self { map, consumer, producer, window: None, bytes })
    }

    /// How far the ring was released, in bytes since it was made.
    #[must_use]
    pub fn committed(&self) -> u64 {
        self.consumer.counter().load(Ordering::Acquire)
    }

    /// How far the kernel has written.
    #[must_use]
    pub fn produced(&self) -> u64 {
        self.producer.counter().load(Ordering::Acquire)
    }

    /// Releases everything before `position`, which must be one that [`Ring::read`] gave. One that
    /// lies before what is released already, or after what was written, changes nothing.
    pub fn commit(&mut self, position: u64) {
        if self.committed() < position && position <= self.produced() {
            self.consumer.counter().store(position, Ordering::Release);
        }
    }

    /// Hands the records from `from` on to `each`, with the position after it, until there are no
    /// more, or `each` breaks off. Returns the position after the last record handed over.
    ///
    /// `from` is a position that an earlier call gave, or [`Ring::committed`].
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidData`] when `from` is not between what is released and what is
    /// written, or what lies there is no record: the position is wrong. Else what the kernel says.
    pub fn read(
        &mut self,
        from: u64,
        each: &mut dyn FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> io::Result<u64> {
        let produced = self.produced();
        if from < self.committed() || from > produced || !from.is_multiple_of(HEADER_BYTES) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "no such position in the ring"));
        }
        let mut at = from;
        while at < produced {
            let header = self.header(at)?;
            if header & BUSY != 0 {
                break;
            }
            let length = u64::from(header & !(BUSY | DISCARDED));
            let after = at + (HEADER_BYTES + length).next_multiple_of(HEADER_BYTES);
            if after > produced {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "no record in the ring"));
            }
            if header & DISCARDED == 0 {
                let bytes = self.bytes_at(at + HEADER_BYTES, to_usize(length))?;
                if each(after, bytes).is_break() {
                    return Ok(after);
                }
            }
            at = after;
        }
        Ok(at)
    }

    fn header(&mut self, at: u64) -> io::Result<u32> {
        let bytes = self.bytes_at(at, size_of::<AtomicU32>())?;
        let pointer = bytes.as_ptr().cast::<AtomicU32>();
        // SAFETY: `bytes_at` gave as many mapped bytes; `at` is a multiple of 8 and a mapping
        // begins at a page, so it is aligned. The kernel writes it as one word too (`xchg` in
        // kernel/bpf/ringbuf.c, bpf_ringbuf_commit), which this load pairs with.
        let header = unsafe { &*pointer };
        Ok(header.load(Ordering::Acquire))
    }

    /// `length` bytes of the data from position `at` on, mapped when they are not.
    fn bytes_at(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let offset = at & (self.bytes - 1);
        let inside = self.window.as_ref().is_some_and(|it| it.holds(offset, length));
        if !inside {
            // The old one goes first: two would count as memory.
            self.window = None;
            let page = u64::try_from(page_size()).unwrap_or(u64::MAX);
            let start = offset & !(page - 1);
            // The data lies there twice, so a window as large as the ring fits from any start.
            let want = WINDOW_BYTES.min(to_usize(self.bytes));
            let from = 2 * page_size() + to_usize(start);
            let mapping = Mapping::new(self.map.fd().as_fd(), from, want, ProtFlags::READ)?;
            self.window = Some(Window { mapping, start });
        }
        let window = self.window.as_ref().filter(|it| it.holds(offset, length));
        window.map(|it| it.mapping.slice(to_usize(offset - it.start), length)).ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidData, "a record is longer than the ring")
        })
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.fd().as_fd()
    }
}

impl Window {
    fn holds(&self, offset: u64, length: usize) -> bool {
        let Some(skip) = offset.checked_sub(self.start) else { return false };
        to_usize(skip).checked_add(length).is_some_and(|end| end <= self.mapping.length)
    }
}

/// Memory shared with the kernel.
#[derive(Debug)]
struct Mapping {
    pointer: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory belongs to no thread; it stays mapped wherever the owner goes.
unsafe impl Send for Mapping {}

impl Mapping {
    /// Maps `length` bytes, at least a page, of `fd` from `offset` on, both multiples of the page
    /// size.
    fn new(fd: BorrowedFd<'_>, offset: usize, length: usize, how: ProtFlags) -> io::Result<Self> {
        let offset = u64::try_from(offset).map_err(io::Error::other)?;
        // SAFETY: a new mapping at an address of the kernel's choice touches no memory of ours.
        let pointer =
            unsafe { mmap(std::ptr::null_mut(), length, how, MapFlags::SHARED, fd, offset)? };
        let pointer =
            NonNull::new(pointer.cast()).ok_or_else(|| io::Error::other("mapped at 0"))?;
        Ok(Self { pointer, length })
    }

    /// The counter at the beginning.
    fn counter(&self) -> &AtomicU64 {
        // SAFETY: at least a page is mapped, and a page is aligned. Both sides use the word as an
        // atomic (`smp_load_acquire` and `smp_store_release` in kernel/bpf/ringbuf.c). It is
        // written to on the consumer's page alone, which is mapped writable.
        unsafe { self.pointer.cast::<AtomicU64>().as_ref() }
    }

    /// `length` bytes from `offset` on; none when they are not all mapped.
    fn slice(&self, offset: usize, length: usize) -> &[u8] {
        if offset.checked_add(length).is_none_or(|end| end > self.length) {
            return &[];
        }
        // SAFETY: the sum was checked above.
        let start = unsafe { self.pointer.add(offset) };
        // SAFETY: the bytes are mapped as long as `self` is borrowed; see the module's
        // documentation for why the kernel leaves them alone.
        unsafe { std::slice::from_raw_parts(start.as_ptr(), length) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: what was mapped in `new`, which nothing borrows any more.
        let unmapped = unsafe { munmap(self.pointer.as_ptr().cast(), self.length) };
        debug_assert!(unmapped.is_ok(), "a mapping of ours can be unmapped");
    }
}

/// A size of the kernel's as a size of ours: the same on every 64-bit target, and no other is built
/// for.
const fn to_usize(size: u64) -> usize {
    const { assert!(size_of::<usize>() == size_of::<u64>(), "a 64-bit target") };
    #[expect(clippy::cast_possible_truncation, reason = "checked in the line above")]
    let size = size as usize;
    size
}
