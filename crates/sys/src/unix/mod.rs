//! Linux, macOS and the BSDs.

mod adopt;
mod bound_path;
mod duplicate;
mod local;
mod number;
mod receive;
mod rewatch;

pub use adopt::{Claim, adopt_listener};
pub use bound_path::BoundPath;
pub use duplicate::Duplicate;
pub use local::{
    UnixListener, UnixStream, accept_unix, listen_on_path, listener_name, local_name, peer_name,
    unix_address, unix_listener, unix_stream,
};
pub(crate) use number::number;
#[cfg(any(linux_like, tells_locals))]
pub(crate) use number::set_number;
pub(crate) use receive::receive_piece;
pub use rewatch::rewatch;

use crate::AcceptError;
use mio::Poll;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::os::fd::AsRawFd;

/// Sets the options that a listening socket needs on this platform before it is bound: the port of a server
/// that has just stopped can be used again.
///
/// # Errors
/// Those of `setsockopt(2)`.
pub fn prepare_listener(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Makes a socket that is bound to an address without a port choose the port when it connects. It can then
/// share the port with connections to other peers; otherwise an address has one connection per port.
pub fn choose_port_late(socket: &Socket) {
    // An old kernel does not have this; it then chooses the port at once.
    #[cfg(target_os = "linux")]
    let _ = set_number(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Whether the error of a non-blocking `connect(2)` means that it goes on in the background.
#[must_use]
pub fn is_begun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Whether the error of a write means that the kernel has no memory for it now.
#[must_use]
pub fn is_out_of_buffers(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// The error of a connection that nobody accepts.
#[must_use]
pub fn refused() -> io::Error {
    io::Error::from_raw_os_error(libc::ECONNREFUSED)
}

/// Sets the options that a datagram socket needs on this platform before it is bound. With `shared`, other
/// sockets may have the same address, as receivers of one multicast group do. (Without that, `SO_REUSEADDR`
/// would let another socket take over the port.)
///
/// # Errors
/// Those of `setsockopt(2)`.
pub fn prepare_datagrams(socket: &Socket, shared: bool) -> io::Result<()> {
    if shared {
        socket.set_reuse_address(true)?;
        // The BSDs need both.
        #[cfg(not(linux_like))]
        socket.set_reuse_port(true)?;
    }
    // Receive only from groups that this socket has joined, not from groups that another socket of
    // the machine has joined. A kernel without the option behaves like that anyway.
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_multicast_all_v4(false);
        let _ = socket.set_multicast_all_v6(false);
    }
    Ok(())
}

/// Does nothing: a datagram socket with many peers does not hear that an earlier datagram reached a closed port.
///
/// # Errors
/// None on this platform.
pub fn ignore_closed_ports(_: &Socket) -> io::Result<()> {
    Ok(())
}

/// Whether the kernel spreads connections and datagrams over the sockets of one port.
pub const PORTS_ARE_SHARED: bool = cfg!(any(linux_like, target_os = "freebsd"));

/// Lets several sockets have one port; the kernel spreads connections and datagrams over them.
///
/// # Errors
/// `Unsupported` if the kernel does not spread them, and those of `setsockopt(2)`.
pub fn share_port(socket: &Socket) -> io::Result<()> {
    #[cfg(linux_like)]
    return socket.set_reuse_port(true);
    #[cfg(target_os = "freebsd")]
    return socket.set_reuse_port_lb(true);
    #[cfg(not(any(linux_like, target_os = "freebsd")))]
    {
        let _ = socket;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The index of a network interface; 0 if there is none with that name.
#[must_use]
pub fn interface_index(name: &str) -> u32 {
    let Ok(name) = std::ffi::CString::new(name) else { return 0 };
    // SAFETY: the name is a C string that outlives the call.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

/// Restricts a socket to one interface: a listener accepts only what comes in through it.
///
/// # Errors
/// Those of `setsockopt(2)`, such as `EPERM` and `ENODEV`; [`io::ErrorKind::Unsupported`] on systems
/// other than Linux.
pub fn bind_to_device(socket: &Socket, interface: &str) -> io::Result<()> {
    #[cfg(linux_like)]
    return socket.bind_device(Some(interface.as_bytes()));
    #[cfg(not(linux_like))]
    {
        let _ = (socket, interface);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// Makes a non-blocking stream socket.
///
/// # Errors
/// Those of `socket(2)`.
pub fn stream_socket(domain: Domain, protocol: Option<Protocol>) -> io::Result<Socket> {
    #[cfg(any(linux_like, target_os = "freebsd"))]
    return Socket::new(domain, Type::STREAM.nonblocking(), protocol);
    #[cfg(not(any(linux_like, target_os = "freebsd")))]
    {
        let socket = Socket::new(domain, Type::STREAM, protocol)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }
}

/// What to do after `accept(2)` failed with this error.
#[must_use]
pub fn accept_error(error: &io::Error) -> AcceptError {
    match error.raw_os_error() {
        // accept(2): these are errors of the connection, and "should be treated like EAGAIN by
        // retrying"; EPERM comes from a firewall.
        Some(
            libc::ECONNABORTED
            | libc::EINTR
            | libc::EPROTO
            | libc::EPERM
            | libc::ENETDOWN
            | libc::ENETUNREACH
            | libc::EHOSTDOWN
            | libc::EHOSTUNREACH
            | libc::ENOPROTOOPT
            | libc::ETIMEDOUT
            | libc::ECONNRESET,
        ) => AcceptError::Next,
        _ => AcceptError::BackOff,
    }
}

/// The descriptor that is readable while a poll has events: an epoll or kqueue. `None` with mio's forced
/// `poll(2)` back end.
#[must_use]
pub fn poll_descriptor(poll: &Poll) -> Option<i32> {
    #[cfg(not(mio_unsupported_force_poll_poll))]
    return Some(poll.as_raw_fd());
    #[cfg(mio_unsupported_force_poll_poll)]
    {
        let _ = poll;
        None
    }
}

/// How many received bytes are waiting in the kernel.
///
/// # Errors
/// Those of `ioctl(2)`.
pub fn unread(socket: &Socket) -> io::Result<usize> {
    let mut count: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and FIONREAD writes one int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &raw mut count) };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

/// How many bytes the kernel holds that were sent and that the peer's side has not acknowledged (over TCP) or
/// read (over a Unix socket). `None` if the system does not say.
#[must_use]
pub fn unacknowledged(socket: &Socket) -> Option<u32> {
    let mut count: libc::c_int = 0;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and TIOCOUTQ writes one int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    #[cfg(target_vendor = "apple")]
    let result = {
        let mut length = size_of::<libc::c_int>() as libc::socklen_t;
        let into = (&raw mut count).cast();
        let fd = socket.as_raw_fd();
        // SAFETY: the descriptor is open as long as `socket` is borrowed, and SO_NWRITE is one int.
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_NWRITE, into, &raw mut length) }
    };
    #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
    let result = {
        let _ = (socket, &mut count);
        -1
    };
    (result == 0).then(|| u32::try_from(count).unwrap_or(0))
}

/// The name of an error number.
#[must_use]
pub fn error_name(errno: i32) -> &'static str {
    macro_rules! names {
        ($($name:ident)*) => {
            match errno {
                $(libc::$name => stringify!($name),)*
                // On Linux `ENOTSUP` has the same number, and Node uses that name.
                _ if errno == libc::EOPNOTSUPP => "EOPNOTSUPP",
                _ => "UNKNOWN",
            }
        };
    }
    names!(
        EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY EBADF EBUSY ECANCELED
        ECONNABORTED ECONNREFUSED ECONNRESET EDEADLK EDESTADDRREQ EDOM EDQUOT EEXIST EFAULT
        EFBIG EHOSTDOWN EHOSTUNREACH EILSEQ EINPROGRESS EINTR EINVAL EIO EISCONN EISDIR ELOOP
        EMFILE EMLINK EMSGSIZE ENAMETOOLONG ENETDOWN ENETRESET ENETUNREACH ENFILE ENOBUFS ENODEV
        ENOENT ENOLCK ENOMEM ENOPROTOOPT ENOSPC ENOSYS ENOTCONN ENOTDIR ENOTEMPTY ENOTSOCK
        ENOTSUP ENXIO EOVERFLOW EPERM EPFNOSUPPORT EPIPE EPROTO EPROTONOSUPPORT
        EPROTOTYPE ERANGE EROFS ESHUTDOWN ESOCKTNOSUPPORT ESPIPE ESTALE ETIMEDOUT ETOOMANYREFS
        ETXTBSY EUSERS EXDEV
    )
}

#[cfg(test)]
mod tests {
    use super::accept_error;
    use crate::AcceptError;
    use std::io;

    fn verdict(errno: i32) -> AcceptError {
        accept_error(&io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn lack_of_descriptors_or_memory_is_waited_out() {
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS] {
            assert_eq!(verdict(errno), AcceptError::BackOff, "{errno}");
        }
    }

    #[test]
    fn an_unexpected_error_is_waited_out() {
        for errno in [libc::EINVAL, libc::EIO, 12_345] {
            assert_eq!(verdict(errno), AcceptError::BackOff, "{errno}");
        }
    }

    #[test]
    fn an_error_of_one_connection_is_skipped() {
        for errno in [libc::ECONNABORTED, libc::ECONNRESET, libc::EPROTO, libc::EINTR, libc::EPERM]
        {
            assert_eq!(verdict(errno), AcceptError::Next, "{errno}");
        }
    }
}
