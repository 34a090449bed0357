//! Socket options as numbers, and what each platform has of them.

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

/// An option of a socket. Each has one number as its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketOption {
    /// 1 switches Nagle's algorithm off.
    NoDelay,
    /// 1 probes a peer that is silent.
    KeepAlive,
    /// Seconds of silence before the first probe.
    KeepIdle,
    /// Seconds between probes.
    KeepInterval,
    /// Probes without an answer before the connection is lost.
    KeepCount,
    /// 1 makes closing reset the connection. (A time to wait is not offered: close(2) would block.)
    Reset,
    /// Bytes of the kernel's buffer for what is received.
    ReceiveBuffer,
    /// Bytes of the kernel's buffer for what is sent.
    SendBuffer,
    /// Milliseconds that sent bytes may stay unacknowledged, 0 for the system's own.
    UserTimeout,
    /// 1 acknowledges at once, until the kernel finds that delaying is better.
    QuickAck,
    /// The class of the packets, 0 to 63.
    Dscp,
    /// Of a listener: connections that may wait whose first bytes came with their SYN.
    FastOpen,
    /// Of a listener: seconds to wait for the first bytes of a connection before it is accepted.
    DeferAccept,
    /// Of a connection to be made: 1 sends the first bytes with the SYN, if the peer has allowed it
    /// before. Connecting is then put off until the first write.
    FastOpenConnect,
}

/// True where a connection has what its listener has: the others are set on each connection.
pub const OPTIONS_ARE_INHERITED: bool = cfg!(linux_like);

impl SocketOption {
    /// Whether this platform has it.
    #[must_use]
    pub fn is_supported(self) -> bool {
        platform::is_supported(self)
    }

    /// Sets it.
    ///
    /// # Errors
    /// Those of `setsockopt(2)`; [`io::ErrorKind::Unsupported`] where the platform lacks it.
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

    /// What the kernel has.
    ///
    /// # Errors
    /// As of [`set`](Self::set).
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
