//! Linux, macOS and the BSDs.

mod adopt;
mod bound_path;
mod duplicate;
mod local;
mod number;

pub use adopt::{Claim, adopt_listener};
pub use bound_path::BoundPath;
pub use duplicate::Duplicate;
pub use local::{
    UnixListener, UnixStream, accept_unix, listen_on_path, listener_name, local_name, peer_name,
    unix_address, unix_listener, unix_stream,
};
pub(crate) use number::number;
#[cfg(linux_like)]
pub(crate) use number::set_number;

use crate::AcceptError;
use mio::Poll;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::os::fd::AsRawFd;

/// Options that a listening socket has on this platform before it is bound: the port of a server
/// that has just stopped can be taken again.
///
/// # Errors
/// Those of `setsockopt(2)`.
pub fn prepare_listener(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_address(true)
}

/// Lets a socket that is bound to an address without a port choose that port when it connects, so that
/// it shares ports with connections to other peers: else an address has as many as there are ports.
pub fn choose_port_late(socket: &Socket) {
    // An old kernel refuses it, and the port is chosen at once.
    #[cfg(target_os = "linux")]
    let _ = set_number(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Whether a `connect(2)` that did not wait goes on by itself.
#[must_use]
pub fn is_begun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINPROGRESS)
}

/// Options that a datagram socket has on this platform before it is bound. With `shared`, others may
/// have the same address, as receivers of one multicast group have. (`SO_REUSEADDR` without that would
/// let another socket take the port over.)
///
/// # Errors
/// Those of `setsockopt(2)`.
pub fn prepare_datagrams(socket: &Socket, shared: bool) -> io::Result<()> {
    if shared {
        socket.set_reuse_address(true)?;
        // The BSDs ask for both.
        #[cfg(not(linux_like))]
        socket.set_reuse_port(true)?;
    }
    // Only what this socket has joined, not what any other of the machine has. A kernel without the
    // option behaves like that.
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_multicast_all_v4(false);
        let _ = socket.set_multicast_all_v6(false);
    }
    Ok(())
}

/// True where the kernel spreads what comes in over the sockets of one port.
pub const PORTS_ARE_SHARED: bool = cfg!(any(linux_like, target_os = "freebsd"));

/// Lets several sockets have one port, among which the kernel spreads what comes in.
///
/// # Errors
/// `Unsupported` where the kernel does not spread it, and those of `setsockopt(2)`.
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

/// The number of a network interface, 0 if there is none of that name.
#[must_use]
pub fn interface_index(name: &str) -> u32 {
    let Ok(name) = std::ffi::CString::new(name) else { return 0 };
    // SAFETY: the name is a C string that outlives the call.
    unsafe { libc::if_nametoindex(name.as_ptr()) }
}

/// Uses only that interface: a listener takes only what comes in by it.
///
/// # Errors
/// Those of `setsockopt(2)`, such as `EPERM` and `ENODEV`; [`io::ErrorKind::Unsupported`] elsewhere
/// than on Linux.
pub fn bind_to_device(socket: &Socket, interface: &str) -> io::Result<()> {
    #[cfg(linux_like)]
    return socket.bind_device(Some(interface.as_bytes()));
    #[cfg(not(linux_like))]
    {
        let _ = (socket, interface);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A stream socket that does not block.
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

/// What a failed `accept(2)` says.
#[must_use]
pub fn accept_error(error: &io::Error) -> AcceptError {
    match error.raw_os_error() {
        // accept(2): these are errors of the connection, and "should be treated like EAGAIN by
        // retrying"; EPERM is a firewall's.
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

/// The descriptor that is readable when a poll has events: an epoll or kqueue. `None` under mio's forced
/// `poll(2)`.
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

/// How many received bytes wait in the kernel.
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

/// The name of an error number.
#[must_use]
pub fn error_name(errno: i32) -> &'static str {
    macro_rules! names {
        ($($name:ident)*) => {
            match errno {
                $(libc::$name => stringify!($name),)*
                // On Linux this is the number of `ENOTSUP`, which is what Node calls it.
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
    fn want_of_descriptors_or_memory_is_waited_out() {
        for errno in [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ENOBUFS] {
            assert_eq!(verdict(errno), AcceptError::BackOff, "{errno}");
        }
    }

    #[test]
    fn what_nobody_expects_is_waited_out_too() {
        for errno in [libc::EINVAL, libc::EIO, 12_345] {
            assert_eq!(verdict(errno), AcceptError::BackOff, "{errno}");
        }
    }

    #[test]
    fn a_connection_that_is_gone_is_passed_over() {
        for errno in [libc::ECONNABORTED, libc::ECONNRESET, libc::EPROTO, libc::EINTR, libc::EPERM]
        {
            assert_eq!(verdict(errno), AcceptError::Next, "{errno}");
        }
    }
}
