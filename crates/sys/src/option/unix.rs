//! Linux, macOS and the BSDs.

use super::SocketOption;
use socket2::Socket;
use std::io;
use std::time::Duration;

/// Where the parts of keep-alive can be set one by one.
const HAS_KEEP_PARTS: bool = cfg!(known_unix);
const IS_LINUX: bool = cfg!(linux_like);

pub(super) fn is_supported(option: SocketOption) -> bool {
    use SocketOption as O;
    match option {
        O::NoDelay | O::KeepAlive | O::Reset | O::ReceiveBuffer | O::SendBuffer => true,
        O::KeepIdle | O::KeepInterval | O::KeepCount | O::Dscp => HAS_KEEP_PARTS,
        O::UserTimeout | O::QuickAck | O::FastOpen | O::DeferAccept | O::FastOpenConnect => {
            IS_LINUX
        }
    }
}

pub(super) fn set(option: SocketOption, socket: &Socket, value: u32) -> io::Result<()> {
    use SocketOption as O;
    match option {
        O::NoDelay => socket.set_tcp_nodelay(value != 0),
        O::KeepAlive => socket.set_keepalive(value != 0),
        O::Reset => socket.set_linger((value != 0).then_some(Duration::ZERO)),
        O::ReceiveBuffer => socket.set_recv_buffer_size(value as usize),
        O::SendBuffer => socket.set_send_buffer_size(value as usize),
        _ => set_more(option, socket, value),
    }
}

pub(super) fn get(option: SocketOption, socket: &Socket) -> io::Result<u32> {
    use SocketOption as O;
    match option {
        O::NoDelay => socket.tcp_nodelay().map(u32::from),
        O::KeepAlive => socket.keepalive().map(u32::from),
        O::Reset => socket.linger().map(|linger| u32::from(linger == Some(Duration::ZERO))),
        O::ReceiveBuffer => socket.recv_buffer_size().map(|bytes| bytes as u32),
        O::SendBuffer => socket.send_buffer_size().map(|bytes| bytes as u32),
        _ => get_more(option, socket),
    }
}

fn is_ipv6(socket: &Socket) -> io::Result<bool> {
    Ok(socket.local_addr()?.is_ipv6())
}

#[cfg(known_unix)]
fn set_more(option: SocketOption, socket: &Socket, value: u32) -> io::Result<()> {
    use SocketOption as O;
    let seconds = Duration::from_secs(value.into());
    match option {
        O::KeepIdle => socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_time(seconds)),
        O::KeepInterval => {
            socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_interval(seconds))
        }
        O::KeepCount => socket.set_tcp_keepalive(&socket2::TcpKeepalive::new().with_retries(value)),
        O::Dscp => set_class(socket, value << 2),
        _ => set_of_linux(option, socket, value),
    }
}

#[cfg(known_unix)]
fn get_more(option: SocketOption, socket: &Socket) -> io::Result<u32> {
    use SocketOption as O;
    match option {
        O::KeepIdle => socket.tcp_keepalive_time().map(|time| time.as_secs() as u32),
        O::KeepInterval => socket.tcp_keepalive_interval().map(|time| time.as_secs() as u32),
        O::KeepCount => socket.tcp_keepalive_retries(),
        O::Dscp if is_ipv6(socket)? => socket.tclass_v6().map(|class| class >> 2),
        O::Dscp => socket.tos_v4().map(|class| class >> 2),
        _ => get_of_linux(option, socket),
    }
}

/// An IPv6 socket may carry IPv4, whose class is another option.
#[cfg(known_unix)]
fn set_class(socket: &Socket, class: u32) -> io::Result<()> {
    if !is_ipv6(socket)? {
        return socket.set_tos_v4(class);
    }
    // Refused where the socket carries no IPv4, which then needs none.
    let _ = socket.set_tos_v4(class);
    socket.set_tclass_v6(class)
}

#[cfg(not(known_unix))]
fn set_more(_: SocketOption, _: &Socket, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(known_unix))]
fn get_more(_: SocketOption, _: &Socket) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(linux_like)]
fn set_of_linux(option: SocketOption, socket: &Socket, value: u32) -> io::Result<()> {
    use SocketOption as O;
    match option {
        O::UserTimeout => socket.set_tcp_user_timeout(Some(Duration::from_millis(value.into()))),
        O::QuickAck => socket.set_tcp_quickack(value != 0),
        _ => set_number(socket, name(option)?, value),
    }
}

#[cfg(linux_like)]
fn get_of_linux(option: SocketOption, socket: &Socket) -> io::Result<u32> {
    use SocketOption as O;
    match option {
        O::UserTimeout => {
            let timeout = socket.tcp_user_timeout()?;
            Ok(timeout.map_or(0, |timeout| timeout.as_millis() as u32))
        }
        O::QuickAck => socket.tcp_quickack().map(u32::from),
        _ => number(socket, name(option)?),
    }
}

/// The system's name of what socket2 does not have.
#[cfg(linux_like)]
fn name(option: SocketOption) -> io::Result<libc::c_int> {
    match option {
        SocketOption::FastOpen => Ok(libc::TCP_FASTOPEN),
        SocketOption::DeferAccept => Ok(libc::TCP_DEFER_ACCEPT),
        SocketOption::FastOpenConnect => Ok(libc::TCP_FASTOPEN_CONNECT),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

#[cfg(linux_like)]
fn set_number(socket: &Socket, name: libc::c_int, value: u32) -> io::Result<()> {
    let value = value as libc::c_int;
    // SAFETY: the descriptor is open as long as `socket` is borrowed, and the value is one int that
    // outlives the call.
    let result = unsafe {
        libc::setsockopt(
            std::os::fd::AsRawFd::as_raw_fd(socket),
            libc::IPPROTO_TCP,
            name,
            (&raw const value).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(linux_like)]
fn number(socket: &Socket, name: libc::c_int) -> io::Result<u32> {
    let mut value: libc::c_int = 0;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `socket` is borrowed; the kernel writes at most
    // `length` bytes, which is one int.
    let result = unsafe {
        libc::getsockopt(
            std::os::fd::AsRawFd::as_raw_fd(socket),
            libc::IPPROTO_TCP,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(value as u32) } else { Err(io::Error::last_os_error()) }
}

#[cfg(all(known_unix, not(linux_like)))]
fn set_of_linux(_: SocketOption, _: &Socket, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(all(known_unix, not(linux_like)))]
fn get_of_linux(_: SocketOption, _: &Socket) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}
