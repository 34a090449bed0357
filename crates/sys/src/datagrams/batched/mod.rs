//! Linux: `recvmmsg(2)` and `sendmmsg(2)`, called by number because not every libc has them.

mod inbox;
mod outbox;

pub use inbox::{Inbox, take_trains};
pub use outbox::Outbox;

use socket2::Socket;
use std::os::fd::AsRawFd;

/// `SO_MEMINFO`, the same on every architecture that this is built for.
const SO_MEMINFO: libc::c_int = 55;
/// How many words `SO_MEMINFO` fills, and which of them counts drops.
const MEMINFO: usize = 9;
const DROPS: usize = 8;

/// How many datagrams for this socket the kernel dropped, modulo 2^32; `None` if the kernel does not say.
///
/// This asks for the count instead of having it with every datagram (`SO_RXQ_OVFL`), so that it is known even
/// while nothing is received, which is when datagrams are dropped.
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
