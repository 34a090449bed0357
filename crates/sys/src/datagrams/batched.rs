//! Linux: `recvmmsg(2)` and `sendmmsg(2)`, by number, for not every libc has them.

use super::{Datagram, Got, LARGEST, Memory, Outgoing, RECEIVED_AT_ONCE, SENT_AT_ONCE};
use socket2::{SockAddr, Socket};
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

/// Where datagrams are received to.
#[derive(Debug)]
pub struct Inbox {
    memory: Memory,
    names: Box<[libc::sockaddr_in6; RECEIVED_AT_ONCE]>,
    got: Vec<Got>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// Room for as many datagrams as one call receives, each of the largest size.
    #[must_use]
    pub fn new() -> Self {
        // SAFETY: all zeros is a value of this plain C struct.
        let name: libc::sockaddr_in6 = unsafe { zeroed() };
        Self {
            memory: Memory::new(),
            names: Box::new([name; RECEIVED_AT_ONCE]),
            got: Vec::with_capacity(RECEIVED_AT_ONCE),
        }
    }

    /// Receives at most `count` datagrams of at most `max` bytes each, in place of the last ones; how
    /// many. Fewer than asked for are all there are, unless the socket has an error.
    ///
    /// # Errors
    /// Those of `recvmmsg(2)`, if there was none before it.
    pub fn receive(&mut self, socket: &Socket, count: usize, max: usize) -> io::Result<usize> {
        self.got.clear();
        let count = count.clamp(1, RECEIVED_AT_ONCE);
        let max = max.min(LARGEST);
        // SAFETY: all zeros is a value of this plain C struct, and of an array of it.
        let mut vectors: [libc::iovec; RECEIVED_AT_ONCE] = unsafe { zeroed() };
        // SAFETY: likewise; its pointers are set below, its lengths are 0 until then.
        let mut messages: [libc::mmsghdr; RECEIVED_AT_ONCE] = unsafe { zeroed() };
        let slots = self.memory.0.chunks_exact_mut(LARGEST).zip(self.names.iter_mut());
        let headers = messages.iter_mut().zip(vectors.iter_mut());
        for ((slot, name), (message, vector)) in slots.zip(headers).take(count) {
            vector.iov_base = slot.as_mut_ptr().cast();
            vector.iov_len = max;
            let header = &mut message.msg_hdr;
            header.msg_name = (&raw mut *name).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = &raw mut *vector;
            header.msg_iovlen = 1;
        }
        // SAFETY: the descriptor is open as long as `socket` is borrowed; the first `count` messages
        // point to names, vectors and memory that outlive the call, of the lengths they say; there is
        // no timeout.
        let result = unsafe {
            libc::syscall(
                libc::SYS_recvmmsg,
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut::<libc::timespec>(),
            )
        };
        let received = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        for (message, name) in messages.iter().zip(self.names.iter()).take(received) {
            self.got.push(Got {
                from: address(name, message.msg_hdr.msg_namelen),
                length: (message.msg_len as usize).min(max),
                is_truncated: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            });
        }
        Ok(received)
    }

    /// One of the datagrams received last.
    ///
    /// # Panics
    /// If there were not so many.
    #[must_use]
    pub fn get(&self, at: usize) -> Datagram<'_> {
        let Got { from, length, is_truncated } = self.got[at];
        Datagram { from, bytes: self.memory.get(at, length), is_truncated }
    }
}

/// What the kernel wrote into a name of `length` bytes.
fn address(name: &libc::sockaddr_in6, length: libc::socklen_t) -> Option<SocketAddr> {
    match i32::from(name.sin6_family) {
        libc::AF_INET6 if length as usize >= size_of::<libc::sockaddr_in6>() => {
            let ip = Ipv6Addr::from(name.sin6_addr.s6_addr);
            let port = u16::from_be(name.sin6_port);
            let (flow, scope) = (name.sin6_flowinfo, name.sin6_scope_id);
            Some(SocketAddrV6::new(ip, port, flow, scope).into())
        }
        libc::AF_INET if length as usize >= size_of::<libc::sockaddr_in>() => {
            // SAFETY: a `sockaddr_in` is shorter than a `sockaddr_in6`, aligned no stricter, and every
            // value of its bytes is one.
            let name: libc::sockaddr_in =
                unsafe { std::ptr::from_ref(name).cast::<libc::sockaddr_in>().read() };
            let ip = u32::from_be(name.sin_addr.s_addr).into();
            Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
        }
        _ => None,
    }
}

/// `UDP_SEGMENT`, which not every libc names.
const UDP_SEGMENT: libc::c_int = 103;
/// The longest datagrams that are handed over several at a time: what every path takes whole.
const LONGEST_SEGMENT: usize = 1400;
/// How many datagrams, and bytes, are handed over at a time.
const SEGMENTS: usize = 64;
const SEGMENTED_BYTES: usize = 65_000;

/// A control message that says how long the segments are.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct SegmentSize {
    header: libc::cmsghdr,
    size: u16,
}

/// What sending needs beside the datagrams, kept from call to call.
#[derive(Debug, Default)]
pub struct Outbox {
    names: Vec<SockAddr>,
    /// Whether the kernel takes a run of datagrams at once, once it was asked.
    segments: Option<bool>,
}

impl Outbox {
    /// Nothing in it yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the first of these datagrams, as many as one call and the kernel take; how many, at least
    /// one. A run of them to one peer, of one size but for a shorter last one, passes the kernel's
    /// network stack as one (`UDP_SEGMENT`), and leaves it as what it is.
    ///
    /// # Errors
    /// Those of `sendmmsg(2)`, of the first.
    pub fn send(&mut self, socket: &Socket, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
        let datagrams = &datagrams[..datagrams.len().min(SENT_AT_ONCE)];
        if !*self.segments.get_or_insert_with(|| has_segments(socket)) {
            return self.send_runs(socket, datagrams, |_| 1);
        }
        match self.send_runs(socket, datagrams, run) {
            Err(error) if run(datagrams) > 1 && is_refusal(&error) => {
                // Of a device that computes no checksums there is no more to be expected.
                if error.raw_os_error() == Some(libc::EIO) {
                    self.segments = Some(false);
                }
                self.send_runs(socket, &datagrams[..run(datagrams)], |_| 1)
            }
            result => result,
        }
    }

    /// Sends runs, as long as `length` says, each with a message of its own.
    fn send_runs(
        &mut self,
        socket: &Socket,
        datagrams: &[Outgoing<'_>],
        length: impl Fn(&[Outgoing<'_>]) -> usize,
    ) -> io::Result<usize> {
        self.names.clear();
        // One for each datagram, so that none moves while messages point to it.
        self.names.reserve(datagrams.len());
        // SAFETY: all zeros is a value of this plain C struct, and of an array of it.
        let mut vectors: [libc::iovec; SENT_AT_ONCE] = unsafe { zeroed() };
        // SAFETY: likewise; its pointers are set below, its lengths are 0 until then.
        let mut messages: [libc::mmsghdr; SENT_AT_ONCE] = unsafe { zeroed() };
        // SAFETY: likewise.
        let mut sizes: [SegmentSize; SENT_AT_ONCE] = unsafe { zeroed() };
        let mut runs = [0; SENT_AT_ONCE];
        for (datagram, vector) in datagrams.iter().zip(vectors.iter_mut()) {
            vector.iov_base = datagram.bytes.as_ptr().cast_mut().cast();
            vector.iov_len = datagram.bytes.len();
        }
        let (mut at, mut count) = (0, 0);
        while at < datagrams.len() {
            let first = &datagrams[at];
            let run = length(&datagrams[at..]);
            let header = &mut messages[count].msg_hdr;
            if let Some(to) = first.to {
                self.names.push(to.into());
                if let Some(name) = self.names.last() {
                    header.msg_name = name.as_ptr().cast_mut().cast();
                    header.msg_namelen = name.len();
                }
            }
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = run as _;
            if run > 1 {
                let size = &mut sizes[count];
                size.header.cmsg_level = libc::IPPROTO_UDP;
                size.header.cmsg_type = UDP_SEGMENT;
                size.header.cmsg_len = (size_of::<libc::cmsghdr>() + size_of::<u16>()) as _;
                size.size = first.bytes.len() as u16;
                header.msg_control = (&raw mut *size).cast();
                header.msg_controllen = size_of::<SegmentSize>() as _;
            }
            runs[count] = run;
            at += run;
            count += 1;
        }
        // SAFETY: the descriptor is open as long as `socket` is borrowed; the messages point to names,
        // vectors, sizes and bytes that outlive the call, of the lengths they say, and which the kernel
        // only reads.
        let result = unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        let sent = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        Ok(runs[..sent].iter().sum())
    }
}

/// How many of these can be handed over as one.
fn run(datagrams: &[Outgoing<'_>]) -> usize {
    let Some(first) = datagrams.first() else { return 0 };
    let size = first.bytes.len();
    if size == 0 || size > LONGEST_SEGMENT {
        return 1;
    }
    let most = SEGMENTS.min(SEGMENTED_BYTES / size);
    let mut length = 1;
    for next in &datagrams[1..] {
        if length == most || next.to != first.to || next.bytes.is_empty() || next.bytes.len() > size
        {
            break;
        }
        length += 1;
        // A shorter one ends the run.
        if next.bytes.len() < size {
            break;
        }
    }
    length
}

/// Whether the kernel knows of segments: an older one would pass the message on as one datagram.
fn has_segments(socket: &Socket) -> bool {
    let mut size: libc::c_int = 0;
    let mut length = size_of_val(&size) as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the kernel writes at most
    // `length` bytes to `size`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_UDP,
            UDP_SEGMENT,
            (&raw mut size).cast(),
            &raw mut length,
        )
    };
    result == 0
}

/// Whether it may be the run that the kernel refuses, not its datagrams.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE))
}

/// `SO_MEMINFO` of every architecture that this is built for.
const SO_MEMINFO: libc::c_int = 55;
/// Words that it fills, and which of them counts drops.
const MEMINFO: usize = 9;
const DROPS: usize = 8;

/// How many datagrams the kernel dropped that came for this socket, modulo 2^32; `None` where it does
/// not say.
///
/// Asked for, instead of told with every datagram (`SO_RXQ_OVFL`): so it is known also while nothing
/// is received, which is when datagrams are dropped.
#[must_use]
pub fn dropped(socket: &Socket) -> Option<u32> {
    let mut words = [0u32; MEMINFO];
    let mut length = size_of_val(&words) as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the kernel writes at most
    // `length` bytes to `words`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_MEMINFO,
            words.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    (result == 0 && length as usize >= size_of_val(&words)).then_some(words[DROPS])
}
