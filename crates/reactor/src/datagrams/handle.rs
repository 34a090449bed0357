//! A datagram socket as its user's thread sees it.

use super::counts::{Counts, DatagramCounts};
use super::setting::DatagramSetting;
use millrace_sys::SocketOption;
use mio::net::UdpSocket;
use socket2::SockRef;
use std::io;
use std::sync::{Arc, OnceLock, Weak};

/// The counts of a datagram socket, and access to the socket as long as the loop has it.
#[derive(Debug, Default)]
pub struct DatagramHandle {
    /// The loop owns the socket; its user borrows it for the moment of a system call. So setting an option
    /// needs no command and no answer, and one that comes too late finds nothing.
    socket: OnceLock<Weak<UdpSocket>>,
    is_v6: bool,
    pub(super) counts: Counts,
}

impl DatagramHandle {
    pub(super) fn new(is_v6: bool) -> Arc<Self> {
        Arc::new(Self { is_v6, ..Self::default() })
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> DatagramCounts {
        match self.socket() {
            Some(socket) => self.counts.totals(Some(&SockRef::from(&*socket))),
            None => self.counts.totals(None),
        }
    }

    /// Bytes sent or given up, and 64 more for each datagram.
    #[must_use]
    pub fn done(&self) -> u64 {
        self.counts.done.get()
    }

    /// Sets an option; false if the socket is not open on its loop.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`.
    pub fn set(&self, setting: &DatagramSetting) -> io::Result<bool> {
        let Some(socket) = self.socket() else { return Ok(false) };
        setting.apply(&SockRef::from(&*socket), self.is_v6)?;
        Ok(true)
    }

    /// Reads an option; `None` if the socket is not open on its loop.
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

    /// Lets the user borrow the socket.
    pub(super) fn lend(&self, socket: &Arc<UdpSocket>) {
        // Called once for each socket.
        let _ = self.socket.set(Arc::downgrade(socket));
    }
}
