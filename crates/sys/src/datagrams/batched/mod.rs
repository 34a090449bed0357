//! Linux: `recvmmsg(2)` and `sendmmsg(2)`, by number, for not every libc has them.

mod inbox;
mod outbox;

pub use inbox::{Inbox, take_trains};
pub use outbox::Outbox;

use socket2::Socket;
use std::os::fd::AsRawFd;

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
