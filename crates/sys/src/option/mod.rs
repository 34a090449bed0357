//! Socket options with numbers as values, and which of them each platform has.

#[cfg(not(any(windows, known_unix)))]
mod elsewhere;
#[cfg(linux_like)]
mod linux;
#[cfg(known_unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(not(any(windows, known_unix)))]
use elsewhere as platform;
#[cfg(known_unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

use socket2::Socket;
use std::io;
use std::time::Duration;

/// An option of a socket. The value of each is a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketOption {
    /// 1 turns off Nagle's algorithm.
    NoDelay,
    /// 1 probes a silent peer.
    KeepAlive,
    /// Seconds of silence before the first probe.
    KeepIdle,
    /// Seconds between probes.
    KeepInterval,
    /// Probes without an answer before the connection is lost.
    KeepCount,
    /// 1 makes closing reset the connection. (A time to linger is not offered, because close(2) would block.)
    Reset,
    /// The size of the kernel's receive buffer in bytes.
    ReceiveBuffer,
    /// The size of the kernel's send buffer in bytes.
    SendBuffer,
    /// Milliseconds that sent bytes may stay unacknowledged; 0 is the system's default.
    UserTimeout,
    /// 1 acknowledges at once, until the kernel decides that delaying is better.
    QuickAck,
    /// The DSCP class of the packets, 0 to 63.
    Dscp,
    /// For a listener: how many connections may wait whose first bytes came with their SYN.
    FastOpen,
    /// For a listener: seconds to wait for the first bytes of a connection before it is accepted.
    DeferAccept,
    /// For a connection to be made: 1 sends the first bytes with the SYN, if the peer has allowed that before.
    /// Connecting is then delayed until the first write.
    FastOpenConnect,
}

/// Whether an accepted connection inherits the options of its listener. If not, they are set on each
/// connection.
pub const OPTIONS_ARE_INHERITED: bool = cfg!(linux_like);

impl SocketOption {
    /// Whether this platform has the option.
    #[must_use]
    pub fn is_supported(self) -> bool {
        platform::is_supported(self)
    }

    /// Sets the option.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`; [`io::ErrorKind::Unsupported`] if the platform does not have the option.
    pub fn set(self, socket: &Socket, value: u32) -> io::Result<()> {
        match self {
            Self::NoDelay => socket.set_tcp_nodelay(value != 0),
            Self::KeepAlive => socket.set_keepalive(value != 0),
            Self::Reset => socket.set_linger((value != 0).then_some(Duration::ZERO)),
            Self::ReceiveBuffer => socket.set_recv_buffer_size(value as usize),
            Self::SendBuffer => socket.set_send_buffer_size(value as usize),
            _ => platform::set(self, socket, value),
        }
    }

    /// Reads the option's value from the kernel.
    ///
    /// # Errors
    /// As for [`set`](Self::set).
    pub fn get(self, socket: &Socket) -> io::Result<u32> {
        match self {
            Self::NoDelay => socket.tcp_nodelay().map(u32::from),
            Self::KeepAlive => socket.keepalive().map(u32::from),
            Self::Reset => socket.linger().map(|linger| u32::from(linger == Some(Duration::ZERO))),
            Self::ReceiveBuffer => socket.recv_buffer_size().map(|bytes| bytes as u32),
            Self::SendBuffer => socket.send_buffer_size().map(|bytes| bytes as u32),
            _ => platform::get(self, socket),
        }
    }
}
