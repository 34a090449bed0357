//! io_uring: one receive request for the life of each connection, and sends. One system call submits everything
//! that has gathered.

#![expect(unsafe_code, reason = "the kernel is told addresses")]

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use io_uring::types::{BufRingEntry, Fd, SubmitArgs, Timespec};
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::Done;
use crate::stream::Stream;

/// Requests that may gather before the kernel has to be told.
const REQUESTS: u32 = 1024;
/// Completions that were not taken yet; for more than this the kernel keeps its own list.
const COMPLETIONS: u32 = 8 * REQUESTS;
/// Buffers for replies: few, so that they stay in the cache.
const BUFFERS: u16 = 256;
const BUFFER_BYTES: usize = 4096;
/// The number of the group that has all buffers.
const GROUP: u16 = 0;
/// Set in the user data of a send.
const SEND: u64 = 1 << 63;

/// The io_uring and its registered memory. That memory is never freed, because a request may outlive the code that
/// made it, and a process has only one io_uring.
pub struct Uring {
    ring: IoUring,
    /// The sockets by index.
    sockets: Vec<RawFd>,
    /// The ring of buffers that the kernel may fill.
    free: *mut BufRingEntry,
    /// How many buffers were ever put into the ring.
    tail: u16,
    /// The memory of all buffers.
    memory: *mut u8,
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring").field("sockets", &self.sockets.len()).finish_non_exhaustive()
    }
}

/// Bytes that came back, in a buffer that has to be given back.
#[derive(Debug)]
pub struct Reply {
    buffer: u16,
    length: usize,
}

/// The entries of the ring of buffers, aligned to a page.
#[repr(C, align(4096))]
struct Entries([u8; BUFFERS as usize * size_of::<BufRingEntry>()]);

impl Uring {
    /// Makes an io_uring without connections.
    ///
    /// # Errors
    /// If the kernel has no io_uring, is older than 6.1, or does not allow it.
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .build(REQUESTS)?;
        let entries = Box::leak(Box::new(Entries([0; _])));
        let free: *mut BufRingEntry = ptr::from_mut(entries).cast();
        // SAFETY: aligned to a page, as long as its number of entries says, and never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(free as u64, BUFFERS, GROUP, 0) }?;
        let memory = Box::leak(vec![0; BUFFERS as usize * BUFFER_BYTES].into_boxed_slice());
        let memory = memory.as_mut_ptr();
        let mut uring = Self { ring, sockets: Vec::new(), free, tail: 0, memory };
        for buffer in 0..BUFFERS {
            uring.give_back(Reply { buffer, length: 0 });
        }
        Ok(uring)
    }

    /// Receives from `stream` from here on, for connection `index`.
    pub fn watch(&mut self, index: usize, stream: &Stream) -> io::Result<()> {
        if self.sockets.len() <= index {
            self.sockets.resize(index + 1, -1);
        }
        self.sockets[index] = match stream {
            Stream::Tcp(socket) => socket.as_raw_fd(),
            Stream::Unix(socket) => socket.as_raw_fd(),
        };
        self.receive(index)
    }

    fn receive(&mut self, index: usize) -> io::Result<()> {
        let request = opcode::RecvMulti::new(Fd(self.sockets[index]), GROUP);
        self.push(&request.build().user_data(index as u64))
    }

    /// Sends all of `bytes` with the next `wait`; only one send at a time for each `index`.
    pub fn send(&mut self, index: usize, bytes: &'static [u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let request = opcode::Send::new(Fd(self.sockets[index]), bytes.as_ptr(), length)
            .flags(libc::MSG_WAITALL | libc::MSG_NOSIGNAL);
        self.push(&request.build().user_data(index as u64 | SEND))
    }

    fn push(&mut self, request: &squeue::Entry) -> io::Result<()> {
        loop {
            // SAFETY: what it names is never freed: the buffers, and bytes that are static.
            if unsafe { self.ring.submission().push(request) }.is_ok() {
                return Ok(());
            }
            self.ring.submit()?;
        }
    }

    /// Submits the requests, and waits until something is done, no longer than `timeout`.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(Timespec::from);
        let mut args = SubmitArgs::new();
        if let Some(timeout) = &timeout {
            args = args.timespec(timeout);
        }
        match self.ring.submitter().submit_with_args(1, &args) {
            Err(error) => match error.raw_os_error() {
                // The time is over, there was a signal, or completions have to be taken first.
                Some(libc::ETIME | libc::EINTR | libc::EBUSY) => Ok(()),
                _ => Err(error),
            },
            Ok(_) => Ok(()),
        }
    }

    /// The next completion and the connection that it is for.
    pub fn next(&mut self) -> io::Result<Option<(usize, Done)>> {
        loop {
            let Some(entry) = self.ring.completion().next() else { return Ok(None) };
            let index = (entry.user_data() & !SEND) as usize;
            let sends = entry.user_data() & SEND != 0;
            let result = usize::try_from(entry.result());
            let done = match (result, cqueue::buffer_select(entry.flags())) {
                (Ok(count), _) if sends => Done::Sent(count),
                (Ok(length @ 1..), Some(buffer)) => {
                    if !cqueue::more(entry.flags()) {
                        self.receive(index)?;
                    }
                    Done::Received(Reply { buffer, length })
                }
                (Ok(_), buffer) => {
                    if let Some(buffer) = buffer {
                        self.give_back(Reply { buffer, length: 0 });
                    }
                    Done::Ended
                }
                (Err(_), _) if -entry.result() == libc::ENOBUFS => {
                    // All buffers were in use; some have been given back since.
                    self.receive(index)?;
                    continue;
                }
                (Err(_), _) => Done::Failed(io::Error::from_raw_os_error(-entry.result())),
            };
            return Ok(Some((index, done)));
        }
    }

    /// The bytes of `reply`.
    pub fn bytes(&self, reply: &Reply) -> &[u8] {
        let at = self.at(reply.buffer);
        // SAFETY: within the buffer, which is ours until it is given back, and that ends the reply.
        unsafe { slice::from_raw_parts(at, reply.length) }
    }

    /// Lets the kernel fill the buffer of `reply` again.
    pub fn give_back(&mut self, reply: Reply) {
        let address = self.at(reply.buffer) as u64;
        let place = self.free.wrapping_add(usize::from(self.tail % BUFFERS));
        // SAFETY: one of the ring's entries; the kernel reads none from the tail on.
        let entry = unsafe { &mut *place };
        entry.set_addr(address);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(reply.buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: the first entry of the ring, in which the tail stands.
        let tail = unsafe { BufRingEntry::tail(self.free) };
        // SAFETY: aligned, never freed, and the kernel only reads it.
        let tail = unsafe { AtomicU16::from_ptr(tail.cast_mut()) };
        tail.store(self.tail, Ordering::Release);
    }

    fn at(&self, buffer: u16) -> *mut u8 {
        self.memory.wrapping_add(usize::from(buffer) * BUFFER_BYTES)
    }
}
