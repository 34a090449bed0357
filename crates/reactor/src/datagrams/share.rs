//! What a datagram socket's user sees and sets from its own thread.

use super::setting::Setting;
use crate::counters::Counter;
use millrace_sys::SocketOption;
use mio::net::UdpSocket;
use socket2::SockRef;
use std::io;
use std::sync::{Arc, OnceLock, Weak};

/// A socket's counts, and its socket as long as the loop has it.
#[derive(Debug, Default)]
pub struct DatagramShare {
    /// The loop's: its user borrows it for the moment of a system call. So setting an option needs no
    /// command and no answer, and one that comes late finds nothing.
    socket: OnceLock<Weak<UdpSocket>>,
    is_v6: bool,
    received: Counter,
    sent: Counter,
    bytes_read: Counter,
    bytes_written: Counter,
    truncated: Counter,
    errors: Counter,
    /// What the kernel had dropped when the socket closed.
    dropped: Counter,
    /// Bytes and costs of what was sent, or given up.
    taken: Counter,
}

/// A socket's counts at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DatagramCounts {
    /// Datagrams received.
    pub received: u64,
    /// Datagrams that the kernel took.
    pub sent: u64,
    /// Bytes received.
    pub bytes_read: u64,
    /// Bytes that the kernel took.
    pub bytes_written: u64,
    /// Datagrams that were cut.
    pub truncated: u64,
    /// System calls that failed.
    pub errors: u64,
    /// Datagrams that the kernel dropped for want of room, where it says so.
    pub dropped: u64,
}

macro_rules! count {
    ($($name:ident)*) => {
        impl DatagramShare {
            $(pub(crate) fn $name(&self, count: u64) { self.$name.add(count); })*

            /// The counts so far.
            #[must_use]
            pub fn counts(&self) -> DatagramCounts {
                let dropped = match self.socket() {
                    Some(socket) => dropped(&SockRef::from(&*socket)),
                    None => self.dropped.get(),
                };
                DatagramCounts { dropped, $($name: self.$name.get()),* }
            }
        }
    };
}

count!(received sent bytes_read bytes_written truncated errors);

fn dropped(socket: &socket2::Socket) -> u64 {
    millrace_sys::datagrams::dropped(socket).unwrap_or(0).into()
}

impl DatagramShare {
    pub(super) fn new(is_v6: bool) -> Arc<Self> {
        Arc::new(Self { is_v6, ..Self::default() })
    }

    /// Bytes sent or given up, and 64 more for each datagram.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.taken.get()
    }

    /// Sets an option; false if the socket is not open on its loop.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set(&self, setting: &Setting) -> io::Result<bool> {
        let Some(socket) = self.socket() else { return Ok(false) };
        setting.apply(&SockRef::from(&*socket), self.is_v6)?;
        Ok(true)
    }

    /// What the kernel has of an option; nothing if the socket is not open on its loop.
    ///
    /// # Errors
    /// Those of `getsockopt(2)`.
    pub fn get(&self, option: SocketOption) -> io::Result<Option<u32>> {
        let Some(socket) = self.socket() else { return Ok(None) };
        option.get(&SockRef::from(&*socket)).map(Some)
    }

    fn socket(&self) -> Option<Arc<UdpSocket>> {
        self.socket.get().and_then(Weak::upgrade)
    }

    pub(super) fn lend(&self, socket: &Arc<UdpSocket>) {
        // Once for each socket.
        let _ = self.socket.set(Arc::downgrade(socket));
    }

    pub(super) fn taken(&self, count: u64) {
        self.taken.add(count);
    }

    pub(super) fn note_dropped(&self, socket: &socket2::Socket) {
        self.dropped.add(dropped(socket));
    }
}
