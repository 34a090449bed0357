//! Receiving with `recvmmsg(2)`, with trains of datagrams in one piece (`UDP_GRO`).

use crate::datagrams::control::{Control, Message};
use crate::datagrams::inbox::Wanted;
use crate::datagrams::train::Train;
use crate::datagrams::{Got, LARGEST, Memory, RECEIVED_AT_ONCE, local};
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
/// Call it before anything can come in, and ask for [trains](Extras::trains) from then on: a plain receive would
/// return a train as one datagram.
#[must_use]
pub fn take_trains(socket: &Socket) -> bool {
    set_number(socket, libc::IPPROTO_UDP, UDP_GRO, 1).is_ok()
}

/// Memory to receive datagrams into.
#[derive(Debug)]
pub struct Inbox {
    pub(in crate::datagrams) memory: Memory,
    names: Box<[libc::sockaddr_in6; RECEIVED_AT_ONCE]>,
    controls: Box<[Control; RECEIVED_AT_ONCE]>,
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
            controls: Box::new([Control::EMPTY; RECEIVED_AT_ONCE]),
            got: Vec::with_capacity(RECEIVED_AT_ONCE),
        }
    }

    /// Fills the empty inbox with one `recvmmsg(2)`. Returns how many trains were received.
    pub(in crate::datagrams) fn fill(
        &mut self,
        socket: &Socket,
        wanted: Wanted,
    ) -> io::Result<usize> {
        let Wanted { count, max, extras } = wanted;
        // `max` applies to a datagram; a train needs all the room that there is.
        let room = if extras.trains { LARGEST } else { max };
        let has_control = extras.trains || extras.locals;
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
        if has_control {
            for (message, control) in messages.iter_mut().zip(self.controls.iter_mut()).take(count)
            {
                let room = control.room();
                message.msg_hdr.msg_control = room.as_mut_ptr().cast();
                message.msg_hdr.msg_controllen = room.len() as _;
            }
        }
        // SAFETY: the descriptor is open as long as `socket` is borrowed. The first `count` messages
        // point to names, vectors, controls and memory that outlive the call and have the lengths given;
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
            let mut size = None;
            let mut local = None;
            if has_control {
                let used: usize = message.msg_hdr.msg_controllen as _;
                for message in self.controls[at].messages(used) {
                    size = size.or_else(|| segment_size(message));
                    local = local::read(message, local);
                }
            }
            let train = Train {
                length: (message.msg_len as usize).min(room),
                size,
                is_truncated: message.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            };
            self.got.extend(train.cars(max).map(|car| Got {
                from,
                local,
                start: at * LARGEST + car.start,
                length: car.length,
                is_truncated: car.is_truncated,
            }));
        }
        Ok(received)
    }
}

/// The length of the datagrams of a train; `None` if this message does not say it, because there is only one.
fn segment_size(Message { level, kind, value }: Message<'_>) -> Option<usize> {
    if (level, kind) != (libc::IPPROTO_UDP, UDP_GRO) {
        return None;
    }
    let size = libc::c_int::from_ne_bytes(*value.first_chunk()?);
    usize::try_from(size).ok().filter(|size| *size > 0)
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
