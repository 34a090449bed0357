//! One datagram and the address of this machine that it was sent to, or that it leaves from: systems that have
//! `recvmsg(2)` and `sendmsg(2)`, but not for several datagrams at once.

use super::control::Control;
use super::local::{self, Local, Source};
use socket2::{MaybeUninitSlice, MsgHdr, MsgHdrMut, SockAddr, Socket};
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

/// What was received.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) is_truncated: bool,
    pub(super) from: Option<SocketAddr>,
    pub(super) local: Option<Local>,
}

/// Receives one datagram.
pub(super) fn receive(socket: &Socket, room: &mut [MaybeUninit<u8>]) -> io::Result<Received> {
    // Has room for an address of either family.
    let mut from = SockAddr::from(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
    let mut control = Control::EMPTY;
    let told: *mut [u8] = control.room();
    // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, nothing else uses `control` as long as this lives, and only
    // initialised bytes are written to it.
    let told = unsafe { &mut *(told as *mut [MaybeUninit<u8>]) };
    let mut buffers = [MaybeUninitSlice::new(room)];
    let mut message =
        MsgHdrMut::new().with_addr(&mut from).with_buffers(&mut buffers).with_control(told);
    let length = socket.recvmsg(&mut message, 0)?;
    let (is_truncated, used) = (message.flags().is_truncated(), message.control_len());
    let local = control.messages(used).fold(None, |before, message| local::read(message, before));
    Ok(Received { length, is_truncated, from: from.as_socket(), local })
}

/// Sends one datagram from that address.
pub(super) fn send(
    socket: &Socket,
    bytes: &[u8],
    to: Option<SocketAddr>,
    source: Source,
) -> io::Result<usize> {
    let mut control = Control::EMPTY;
    let used = local::message(&mut control, source);
    let (to, buffers) = (to.map(SockAddr::from), [IoSlice::new(bytes)]);
    let mut message = MsgHdr::new().with_buffers(&buffers).with_control(&control.room()[..used]);
    if let Some(to) = &to {
        message = message.with_addr(to);
    }
    socket.sendmsg(&message, 0)
}

#[cfg(test)]
mod tests {
    use super::{Source, receive, send};
    use crate::datagrams::tell_locals;
    use socket2::{Domain, Socket, Type};
    use std::mem::MaybeUninit;
    use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

    #[test]
    fn a_datagram_says_where_it_was_sent_to_and_the_answer_leaves_from_there() {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        assert!(tell_locals(&socket, false));
        socket.bind(&SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)).into()).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let asker = UdpSocket::bind("127.0.0.1:0").unwrap();
        asker.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        asker.send(b"text").unwrap();
        let mut room = [MaybeUninit::uninit(); 3];
        let received = receive(&socket, &mut room).unwrap();
        assert_eq!((received.length, received.is_truncated), (3, true));
        assert_eq!(received.from, asker.local_addr().ok());
        let local = received.local.unwrap();
        assert_eq!((local.ip, local.is_own), (Ipv4Addr::LOCALHOST.into(), true));
        let source = Source { ip: local.ip, interface: 0 };
        assert_eq!(send(&socket, b"back", received.from, source).unwrap(), 4);
        let mut bytes = [0; 9];
        assert_eq!(asker.recv(&mut bytes).unwrap(), 4);
    }
}
