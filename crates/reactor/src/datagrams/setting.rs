//! DatagramSetting the options of a datagram socket, before it is bound or while it is open.

use millrace_sys::SocketOption;
use millrace_sys::datagrams::SourceGroup;
use socket2::Socket;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A multicast group on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// An IPv4 group. The interface is given by its address; unspecified lets the system choose.
    V4 {
        /// The group.
        group: Ipv4Addr,
        /// The interface.
        interface: Ipv4Addr,
        /// Receive only what this host sends.
        source: Option<Ipv4Addr>,
    },
    /// An IPv6 group. The interface is given by its index; 0 lets the system choose.
    V6 {
        /// The group.
        group: Ipv6Addr,
        /// The interface.
        interface: u32,
        /// Receive only what this host sends.
        source: Option<Ipv6Addr>,
    },
}

/// The interface that multicasts are sent from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interface {
    /// By its address.
    V4(Ipv4Addr),
    /// By its index.
    V6(u32),
}

/// An option of a datagram socket, with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatagramSetting {
    /// Join a group: receive what is sent to it.
    Join(Membership),
    /// Leave a group.
    Leave(Membership),
    /// Send multicasts from this interface.
    MulticastInterface(Interface),
    /// How many routers a multicast may pass.
    MulticastTtl(u32),
    /// Whether this machine receives the multicasts it sends.
    MulticastLoopback(bool),
    /// How many routers a datagram may pass.
    Ttl(u32),
    /// Whether broadcasts may be sent.
    Broadcast(bool),
    /// Bytes that the kernel may hold until they are received.
    ReceiveBuffer(usize),
    /// Bytes that the kernel may hold until they are sent.
    SendBuffer(usize),
    /// The DSCP class of the packets, 0 to 63.
    Dscp(u32),
}

impl DatagramSetting {
    pub(super) fn apply(&self, socket: &Socket, is_v6: bool) -> io::Result<()> {
        match *self {
            Self::Join(Membership::V4 { group, interface, source: None }) => {
                socket.join_multicast_v4(&group, &interface)
            }
            Self::Leave(Membership::V4 { group, interface, source: None }) => {
                socket.leave_multicast_v4(&group, &interface)
            }
            Self::Join(Membership::V4 { group, interface, source: Some(source) }) => {
                socket.join_ssm_v4(&source, &group, &interface)
            }
            Self::Leave(Membership::V4 { group, interface, source: Some(source) }) => {
                socket.leave_ssm_v4(&source, &group, &interface)
            }
            Self::Join(Membership::V6 { group, interface, source: None }) => {
                socket.join_multicast_v6(&group, interface)
            }
            Self::Leave(Membership::V6 { group, interface, source: None }) => {
                socket.leave_multicast_v6(&group, interface)
            }
            Self::Join(Membership::V6 { group, interface, source: Some(source) }) => {
                SourceGroup { group, interface, source }.join(socket)
            }
            Self::Leave(Membership::V6 { group, interface, source: Some(source) }) => {
                SourceGroup { group, interface, source }.leave(socket)
            }
            Self::MulticastInterface(Interface::V4(address)) => {
                socket.set_multicast_if_v4(&address)
            }
            Self::MulticastInterface(Interface::V6(index)) => socket.set_multicast_if_v6(index),
            Self::MulticastTtl(ttl) => on_both(
                is_v6,
                || socket.set_multicast_hops_v6(ttl),
                || socket.set_multicast_ttl_v4(ttl),
            ),
            Self::MulticastLoopback(on) => on_both(
                is_v6,
                || socket.set_multicast_loop_v6(on),
                || socket.set_multicast_loop_v4(on),
            ),
            Self::Ttl(ttl) => {
                on_both(is_v6, || socket.set_unicast_hops_v6(ttl), || socket.set_ttl_v4(ttl))
            }
            Self::Broadcast(on) => socket.set_broadcast(on),
            Self::ReceiveBuffer(bytes) => socket.set_recv_buffer_size(bytes),
            Self::SendBuffer(bytes) => socket.set_send_buffer_size(bytes),
            Self::Dscp(class) => SocketOption::Dscp.set(socket, class),
        }
    }
}

/// Sets an option that each family has. An IPv6 socket may carry IPv4, too, so both are set on systems that
/// allow it.
fn on_both(
    is_v6: bool,
    v6: impl FnOnce() -> io::Result<()>,
    v4: impl FnOnce() -> io::Result<()>,
) -> io::Result<()> {
    if !is_v6 {
        return v4();
    }
    let _ = v4();
    v6()
}
