//! Receiving with `recvmmsg(2)`, with trains of datagrams in one piece (`UDP_GRO`).

use crate::datagrams::train::Train;
use crate::datagrams::{Got, LARGEST, Memory, RECEIVED_AT_ONCE};
use crate::unix::set_number;
use socket2::Socket;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::AsRawFd;

/// `UDP_GRO`, which not every libc defines.
const UDP_GRO: libc::c_int = 104;

/// Lets the kernel hand over several datagrams of one sender in one piece: they pass its network stack as
/// one. Returns false if the kernel is too old for that; datagrams then come one by one.
///
/// Call it before anything can come in, and use [`Inbox::receive_trains`] from then on: a plain receive would
/// return a train as one datagram.
#[must_use]
pub fn take_trains(socket: &Socket) -> bool {
    set_number(socket, libc::IPPROTO_UDP, UDP_GRO, 1).is_ok()
}

/// A control message with the length of a train's segments. No other control message is asked for.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
struct SegmentSize {
    header: libc::cmsghdr,
    size: libc::c_int,
}

/// Memory to receive datagrams into.
#[derive(Debug)]
pub struct Inbox {
    pub(in crate::datagrams) memory: Memory,
    names: Box<[libc::sockaddr_in6; RECEIVED_AT_ONCE]>,
    pub(in crate::datagrams) got: Vec<Got>,
}

impl Inbox {
    /// Makes room for as many datagrams as one call receives, each of the largest size.
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

    /// Receives at most `count` datagrams of at most `max` bytes each, in place of the last ones. Returns how
    /// many. If there are fewer than asked for, no more are waiting, unless the socket has an error.
    ///
    /// # Errors
    /// Those of `recvmmsg(2)`, if no datagram was received before the error.
    pub fn receive(&mut self, socket: &Socket, count: usize, max: usize) -> io::Result<usize> {
        let count = count.clamp(1, RECEIVED_AT_ONCE);
        self.receive_messages(socket, count, max, max.min(LARGEST), &mut [])
    }

    /// Receives at most `count` trains on a socket that [takes trains](take_trains), and splits them into
    /// datagrams. A datagram that came alone is a train, too. Returns how many trains.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub fn receive_trains(
        &mut self,
        socket: &Socket,
        count: usize,
        max: usize,
    ) -> io::Result<usize> {
        let count = count.clamp(1, RECEIVED_AT_ONCE);
        // SAFETY: all zeros is a value of this plain C struct, and of an array of it.
        let mut sizes: [SegmentSize; RECEIVED_AT_ONCE] = unsafe { zeroed() };
        // `max` applies to a datagram; a train needs all the room that there is.
        self.receive_messages(socket, count, max, LARGEST, &mut sizes)
    }

    /// Receives messages of at most `room` bytes, each with a control message if there are `sizes`.
    fn receive_messages(
        &mut self,
        socket: &Socket,
        count: usize,
        max: usize,
        room: usize,
        sizes: &mut [SegmentSize],
    ) -> io::Result<usize> {
        self.got.clear();
        // SAFETY: all zeros is a value of this plain C struct, and of an array of it.
        let mut vectors: [libc::iovec; RECEIVED_AT_ONCE] = unsafe { zeroed() };
        // SAFETY: likewise; its pointers are set below, its lengths are 0 until then.
        let mut messages: [libc::mmsghdr; RECEIVED_AT_ONCE] = unsafe { zeroed() };
        let slots = self.memory.0.chunks_exact_mut(LARGEST).zip(self.names.iter_mut());
        let headers = messages.iter_mut().zip(vectors.iter_mut());
        for ((slot, name), (message, vector)) in slots.zip(headers).take(count) {
            vector.iov_base = slot.as_mut_ptr().cast();
            vector.iov_len = room;
            let header = &mut message.msg_hdr;
            header.msg_name = (&raw mut *name).cast();
            header.msg_namelen = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
            header.msg_iov = &raw mut *vector;
            header.msg_iovlen = 1;
        }
        for (message, size) in messages.iter_mut().zip(sizes.iter_mut()).take(count) {
            message.msg_hdr.msg_control = (&raw mut *size).cast();
            message.msg_hdr.msg_controllen = size_of::<SegmentSize>() as _;
        }
        // SAFETY: the descriptor is open as long as `socket` is borrowed. The first `count` messages
        // point to names, vectors, sizes and memory that outlive the call and have the lengths given;
        // any bytes are a valid value of each. There is no timeout.
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
        for (at, (message, name)) in
            messages.iter().zip(self.names.iter()).enumerate().take(received)
        {
            let from = address(name, message.msg_hdr.msg_namelen);
            let train = Train {
                length: (message.msg_len as usize).min(room),
                size: sizes.get(at).and_then(|size| segment_size(&message.msg_hdr, size)),
                is_truncated: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            };
            self.got.extend(train.cars(max).map(|car| Got {
                from,
                start: at * LARGEST + car.start,
                length: car.length,
                is_truncated: car.is_truncated,
            }));
        }
        Ok(received)
    }
}

/// The length of the datagrams of a train; `None` if there is only one datagram.
fn segment_size(header: &libc::msghdr, message: &SegmentSize) -> Option<usize> {
    let needed = size_of::<libc::cmsghdr>() + size_of::<libc::c_int>();
    let is_there = header.msg_controllen >= needed as _
        && message.header.cmsg_len >= needed as _
        && message.header.cmsg_level == libc::IPPROTO_UDP
        && message.header.cmsg_type == UDP_GRO;
    if !is_there {
        return None;
    }
    usize::try_from(message.size).ok().filter(|size| *size > 0)
}

/// Reads the address that the kernel wrote into a name of `length` bytes.
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
