//! Linux, macOS and FreeBSD.

use super::SocketOption;
use socket2::{Socket, TcpKeepalive};
use std::io;
use std::time::Duration;

pub(super) fn is_supported(option: SocketOption) -> bool {
    use SocketOption as O;
    match option {
        O::NoDelay
        | O::KeepAlive
        | O::KeepIdle
        | O::KeepInterval
        | O::KeepCount
        | O::Reset
        | O::ReceiveBuffer
        | O::SendBuffer
        | O::Dscp => true,
        O::UserTimeout | O::QuickAck | O::FastOpen | O::DeferAccept | O::FastOpenConnect => {
            cfg!(linux_like)
        }
    }
}

pub(super) fn set(option: SocketOption, socket: &Socket, value: u32) -> io::Result<()> {
    use SocketOption as O;
    let seconds = Duration::from_secs(value.into());
    match option {
        O::KeepIdle => socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(seconds)),
        O::KeepInterval => socket.set_tcp_keepalive(&TcpKeepalive::new().with_interval(seconds)),
        O::KeepCount => socket.set_tcp_keepalive(&TcpKeepalive::new().with_retries(value)),
        O::Dscp => set_class(socket, value << 2),
        #[cfg(linux_like)]
        _ => super::linux::set(option, socket, value),
        #[cfg(not(linux_like))]
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

pub(super) fn get(option: SocketOption, socket: &Socket) -> io::Result<u32> {
    use SocketOption as O;
    match option {
        O::KeepIdle => socket.tcp_keepalive_time().map(|time| time.as_secs() as u32),
        O::KeepInterval => socket.tcp_keepalive_interval().map(|time| time.as_secs() as u32),
        O::KeepCount => socket.tcp_keepalive_retries(),
        O::Dscp if is_ipv6(socket)? => socket.tclass_v6().map(|class| class >> 2),
        O::Dscp => socket.tos_v4().map(|class| class >> 2),
        #[cfg(linux_like)]
        _ => super::linux::get(option, socket),
        #[cfg(not(linux_like))]
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// Sets the class for both families: an IPv6 socket may carry IPv4, whose class is another option.
fn set_class(socket: &Socket, class: u32) -> io::Result<()> {
    if !is_ipv6(socket)? {
        return socket.set_tos_v4(class);
    }
    // This fails if the socket carries no IPv4, and then IPv4 needs no class.
    let _ = socket.set_tos_v4(class);
    socket.set_tclass_v6(class)
}

fn is_ipv6(socket: &Socket) -> io::Result<bool> {
    Ok(socket.local_addr()?.is_ipv6())
}
