//! Windows.

mod descriptors;
mod local;
mod number;

pub use descriptors::{Claim, Duplicate, adopt_listener};
pub use local::{
    BoundPath, UnixListener, UnixStream, accept_unix, listen_on_path, listener_name, local_name,
    peer_name, unix_address, unix_listener, unix_stream,
};
pub(crate) use number::{number, set_number};

use crate::{AcceptError, Piece};
use mio::net::UdpSocket;
use mio::{Interest, Poll, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::mem::MaybeUninit;
use std::os::windows::io::AsRawSocket;
use windows_sys::Win32::Networking::WinSock as winsock;

/// Sets the options that a listening socket needs on this platform before it is bound. On Windows,
/// `SO_REUSEADDR` would let any process of any user take over the port; `SO_EXCLUSIVEADDRUSE` prevents that.
///
/// # Errors
/// Those of `setsockopt`.
pub fn prepare_listener(socket: &Socket) -> io::Result<()> {
    set_exclusive(socket)
}

/// Sets the options that a datagram socket needs on this platform before it is bound. With `shared`, other
/// sockets may have the same address, as receivers of one multicast group do; without it, none may.
///
/// # Errors
/// Those of `setsockopt`.
pub fn prepare_datagrams(socket: &Socket, shared: bool) -> io::Result<()> {
    if shared { socket.set_reuse_address(true) } else { set_exclusive(socket) }
}

/// Windows does not spread connections and datagrams over the sockets of one port.
///
/// # Errors
/// Always `Unsupported`.
pub fn share_port(_socket: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Windows names interfaces differently, so there is none with that name.
#[must_use]
pub fn interface_index(_name: &str) -> u32 {
    0
}

/// Makes a datagram socket with many peers not hear that an earlier datagram reached a closed port. Each time would be
/// an error of receiving, which does not say which peer it is about.
///
/// # Errors
/// Those of `WSAIoctl`. Receiving works all the same then, with errors in between.
pub fn ignore_closed_ports(socket: &Socket) -> io::Result<()> {
    let (report, mut returned): (i32, u32) = (0, 0);
    // SAFETY: the socket is open while borrowed; the control code reads one BOOL and writes nothing but the count of
    // bytes that it returns. Both outlive the call, which is not overlapped.
    let result = unsafe {
        winsock::WSAIoctl(
            socket.as_raw_socket() as winsock::SOCKET,
            winsock::SIO_UDP_CONNRESET,
            (&raw const report).cast(),
            size_of::<i32>() as u32,
            std::ptr::null_mut(),
            0,
            &raw mut returned,
            std::ptr::null_mut(),
            None,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn set_exclusive(socket: &Socket) -> io::Result<()> {
    set_number(socket, winsock::SOL_SOCKET, winsock::SO_EXCLUSIVEADDRUSE, 1)
}

/// Does nothing: Windows always chooses the port of a bound socket at once.
pub fn choose_port_late(_socket: &Socket) {}

/// Whether the error of a non-blocking `connect` means that it goes on in the background.
#[must_use]
pub fn is_begun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(winsock::WSAEWOULDBLOCK)
}

/// Whether the error of a write means that the kernel has no memory for it now.
#[must_use]
pub fn is_out_of_buffers(error: &io::Error) -> bool {
    error.raw_os_error() == Some(winsock::WSAENOBUFS)
}

/// The error of a connection that nobody accepts.
#[must_use]
pub fn refused() -> io::Error {
    io::Error::from_raw_os_error(winsock::WSAECONNREFUSED)
}

/// Whether the kernel spreads connections and datagrams over the sockets of one port.
pub const PORTS_ARE_SHARED: bool = false;

/// Restricts a socket to one interface, which is not supported here.
///
/// # Errors
/// [`io::ErrorKind::Unsupported`].
pub fn bind_to_device(_: &Socket, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Makes a non-blocking stream socket.
///
/// # Errors
/// Those of `socket`.
pub fn stream_socket(domain: Domain, protocol: Option<Protocol>) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, protocol)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What to do after `accept` failed with this error.
#[must_use]
pub fn accept_error(error: &io::Error) -> AcceptError {
    match error.raw_os_error() {
        Some(winsock::WSAECONNRESET | winsock::WSAECONNABORTED | winsock::WSAEINTR) => {
            AcceptError::Next
        }
        _ => AcceptError::BackOff,
    }
}

/// Receives into `room`.
pub(crate) fn receive_piece(socket: &Socket, room: &mut [MaybeUninit<u8>]) -> io::Result<Piece> {
    Ok(Piece { count: socket.recv(room)?, is_cut: true })
}

/// Does nothing: a registered socket is armed again only after it has blocked.
///
/// # Errors
/// None on this platform.
pub fn rewatch(_: &Registry, _: &UdpSocket, _: Token, _: Interest) -> io::Result<()> {
    Ok(())
}

/// How many received bytes are waiting in the kernel.
///
/// # Errors
/// Those of `ioctlsocket`.
pub fn unread(socket: &Socket) -> io::Result<usize> {
    let mut count: u32 = 0;
    // SAFETY: the socket is open while borrowed, and FIONREAD writes one u32.
    let result = unsafe {
        winsock::ioctlsocket(
            socket.as_raw_socket() as winsock::SOCKET,
            winsock::FIONREAD,
            &raw mut count,
        )
    };
    if result == 0 { Ok(count as usize) } else { Err(io::Error::last_os_error()) }
}

/// Always `None`: Windows does not say how many sent bytes it holds.
#[must_use]
pub fn unacknowledged(_: &Socket) -> Option<u32> {
    None
}

/// Always `None`: a poll has no descriptor on Windows.
#[must_use]
pub fn poll_descriptor(_: &Poll) -> Option<i32> {
    None
}

/// The POSIX name of an error number.
#[must_use]
pub fn error_name(errno: i32) -> &'static str {
    macro_rules! names {
        ($($code:ident $name:ident)*) => {
            match errno {
                $(winsock::$code => stringify!($name),)*
                _ => "UNKNOWN",
            }
        };
    }
    names!(
        WSAEWOULDBLOCK EAGAIN
        WSAEACCES EACCES
        WSAEADDRINUSE EADDRINUSE
        WSAEADDRNOTAVAIL EADDRNOTAVAIL
        WSAEAFNOSUPPORT EAFNOSUPPORT
        WSAEALREADY EALREADY
        WSAEBADF EBADF
        WSAECONNABORTED ECONNABORTED
        WSAECONNREFUSED ECONNREFUSED
        WSAECONNRESET ECONNRESET
        WSAEDESTADDRREQ EDESTADDRREQ
        WSAEDQUOT EDQUOT
        WSAEFAULT EFAULT
        WSAEHOSTDOWN EHOSTDOWN
        WSAEHOSTUNREACH EHOSTUNREACH
        WSAEINPROGRESS EINPROGRESS
        WSAEINTR EINTR
        WSAEINVAL EINVAL
        WSAEISCONN EISCONN
        WSAELOOP ELOOP
        WSAEMFILE EMFILE
        WSAEMSGSIZE EMSGSIZE
        WSAENAMETOOLONG ENAMETOOLONG
        WSAENETDOWN ENETDOWN
        WSAENETRESET ENETRESET
        WSAENETUNREACH ENETUNREACH
        WSAENOBUFS ENOBUFS
        WSAENOPROTOOPT ENOPROTOOPT
        WSAENOTCONN ENOTCONN
        WSAENOTEMPTY ENOTEMPTY
        WSAENOTSOCK ENOTSOCK
        WSAEOPNOTSUPP EOPNOTSUPP
        WSAEPFNOSUPPORT EPFNOSUPPORT
        WSAEPROTONOSUPPORT EPROTONOSUPPORT
        WSAEPROTOTYPE EPROTOTYPE
        WSAESHUTDOWN ESHUTDOWN
        WSAESOCKTNOSUPPORT ESOCKTNOSUPPORT
        WSAESTALE ESTALE
        WSAETIMEDOUT ETIMEDOUT
        WSAETOOMANYREFS ETOOMANYREFS
        WSAEUSERS EUSERS
    )
}
