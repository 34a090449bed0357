//! The address of this machine that a datagram was sent to, and that an answer leaves from.

use socket2::Socket;
use std::net::IpAddr;

/// Where a datagram was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local {
    /// The address; an IPv4 address on an IPv6 socket, too.
    pub ip: IpAddr,
    /// The index of the interface that it came in through.
    pub interface: u32,
    /// It is an address of this machine, so that a datagram can leave from it; otherwise that of a group or of a
    /// whole network.
    pub is_own: bool,
}

/// Where a datagram leaves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// An address of this machine.
    pub ip: IpAddr,
    /// The index of the interface that it leaves through; 0: routing decides.
    pub interface: u32,
}

/// Lets the kernel say with each datagram where it was sent to. False: the system cannot.
///
/// Call it before anything can come in, and ask for [locals](super::Extras::locals) from then on.
#[must_use]
pub fn tell_locals(socket: &Socket, is_v6: bool) -> bool {
    platform::tell(socket, is_v6)
}

#[cfg(tells_locals)]
pub(super) use platform::{message, read};

#[cfg(not(tells_locals))]
mod platform {
    pub(super) fn tell(_socket: &socket2::Socket, _is_v6: bool) -> bool {
        false
    }
}

#[cfg(tells_locals)]
mod platform {
    use super::{Local, Source};
    use crate::datagrams::control::{Control, Message};
    use crate::unix::set_number;
    use socket2::Socket;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    pub(super) fn tell(socket: &Socket, is_v6: bool) -> bool {
        let v4 = set_number(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1).is_ok();
        if !is_v6 {
            return v4;
        }
        set_number(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1).is_ok()
    }

    /// Reads where a datagram was sent to. An IPv4 datagram on an IPv6 socket comes with both messages, of which
    /// that of IPv4 knows more.
    pub(in crate::datagrams) fn read(message: Message<'_>, before: Option<Local>) -> Option<Local> {
        let Message { level, kind, value } = message;
        let word = |at: usize| value.get(at..)?.first_chunk::<4>().copied();
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let (Some(interface), Some(own), Some(ip)) = (word(0), word(4), word(8)) else {
                    return before;
                };
                let ip = Ipv4Addr::from(ip);
                let is_own = is_own(ip, own.into());
                Some(Local { ip: ip.into(), interface: u32::from_ne_bytes(interface), is_own })
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if before.is_none() => {
                let ip = Ipv6Addr::from(*value.first_chunk::<16>()?);
                let interface = u32::from_ne_bytes(word(16)?);
                let ip = ip.to_canonical();
                let is_own = match ip {
                    IpAddr::V4(ip) => is_own(ip, ip),
                    IpAddr::V6(ip) => !ip.is_multicast(),
                };
                Some(Local { ip, interface, is_own })
            }
            _ => before,
        }
    }

    /// Whether an address is one of this machine, and not of a group or a network. Linux chooses an address for
    /// answers, which is another one then.
    #[cfg(not(target_vendor = "apple"))]
    fn is_own(ip: Ipv4Addr, choice: Ipv4Addr) -> bool {
        ip == choice
    }

    /// Whether an address is one of this machine, and not of a group or a network. The system does not say, but talks
    /// to no other address than its own from that address.
    #[cfg(target_vendor = "apple")]
    fn is_own(ip: Ipv4Addr, _: Ipv4Addr) -> bool {
        /// How many answers are kept.
        const KNOWN: usize = 64;
        thread_local! {
            static OWN: std::cell::RefCell<Vec<(Ipv4Addr, bool)>> = const { std::cell::RefCell::new(Vec::new()) };
        }
        OWN.with_borrow_mut(|known| {
            if let Some((_, is_own)) = known.iter().find(|(each, _)| *each == ip) {
                return *is_own;
            }
            let talk = || {
                let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
                // Sends nothing.
                socket.connect((ip, 9))?;
                socket.local_addr()
            };
            let is_own = talk().is_ok_and(|from| from.ip() == IpAddr::V4(ip));
            if known.len() == KNOWN {
                known.clear();
            }
            known.push((ip, is_own));
            is_own
        })
    }

    /// Adds the message that says where a datagram leaves from.
    pub(in crate::datagrams) fn message(control: &mut Control, source: Source) -> usize {
        let interface = source.interface.to_ne_bytes();
        match source.ip {
            IpAddr::V4(ip) => {
                let mut value = [0; 12];
                value[..4].copy_from_slice(&interface);
                value[4..8].copy_from_slice(&ip.octets());
                let (level, kind) = (libc::IPPROTO_IP, libc::IP_PKTINFO);
                control.push(0, Message { level, kind, value: &value })
            }
            IpAddr::V6(ip) => {
                let mut value = [0; 20];
                value[..16].copy_from_slice(&ip.octets());
                value[16..].copy_from_slice(&interface);
                let (level, kind) = (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO);
                control.push(0, Message { level, kind, value: &value })
            }
        }
    }
}

#[cfg(all(test, tells_locals))]
mod tests {
    use super::{Local, Source, tell_locals};
    use crate::datagrams::{Extras, Inbox, Outbox, Outgoing, take_trains};
    use socket2::{Domain, SockRef, Socket, Type};
    use std::io::ErrorKind;
    use std::net::{IpAddr, SocketAddr, UdpSocket};

    /// A socket on all addresses of this machine that says where datagrams were sent to, and its port.
    fn wildcard(address: &str) -> (Socket, Extras, u16) {
        let address: SocketAddr = address.parse().unwrap();
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None).unwrap();
        if address.is_ipv6() {
            socket.set_only_v6(false).unwrap();
        }
        assert!(tell_locals(&socket, address.is_ipv6()));
        let trains = take_trains(&socket);
        socket.bind(&address.into()).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        (socket, Extras { trains, locals: true }, port)
    }

    /// Receives so many datagrams: where each was sent to, its sender and its bytes.
    fn receive(
        (socket, extras, _): &(Socket, Extras, u16),
        count: usize,
    ) -> Vec<(Local, SocketAddr, Vec<u8>)> {
        let mut inbox = Inbox::new();
        let mut seen = Vec::new();
        while seen.len() < count {
            inbox.receive_with(socket, 32, 2000, *extras).unwrap();
            for at in 0..inbox.len() {
                let datagram = inbox.get(at);
                seen.push((
                    datagram.local.unwrap(),
                    datagram.from.unwrap(),
                    datagram.bytes.to_vec(),
                ));
            }
        }
        seen
    }

    fn asker(from: &str, to: &str, port: u16) -> UdpSocket {
        let socket = UdpSocket::bind((from.parse::<IpAddr>().unwrap(), 0)).unwrap();
        // Connected: an answer from another address never comes.
        socket.connect((to.parse::<IpAddr>().unwrap(), port)).unwrap();
        socket
    }

    #[test]
    fn a_batch_says_where_each_datagram_was_sent_to_and_each_answer_leaves_from_there() {
        let hosts: &[(&str, &[&str])] = &[
            ("0.0.0.0:0", &["127.0.0.1", "127.0.0.2", "127.0.0.3"]),
            ("[::]:0", &["127.0.0.1", "127.0.0.2", "::1"]),
        ];
        for (bound, hosts) in hosts {
            let server = wildcard(bound);
            let askers: Vec<_> = hosts
                .iter()
                .map(|to| asker(if to.contains(':') { "::1" } else { "127.0.0.1" }, to, server.2))
                .collect();
            // Runs that the kernel may gather, with other addresses in between.
            let mut outbox = Outbox::new();
            for round in 0..4u8 {
                for (at, asker) in askers.iter().enumerate() {
                    let bytes = [round, at as u8];
                    let run = [Outgoing { to: None, source: None, bytes: &bytes }; 5];
                    let mut sent = 0;
                    while sent < run.len() {
                        sent += outbox.send(&SockRef::from(asker), &run[sent..]).unwrap();
                    }
                }
            }
            let seen = receive(&server, 20 * hosts.len());
            let is_v6 = bound.starts_with('[');
            let answers: Vec<_> = seen
                .iter()
                .map(|(local, from, bytes)| {
                    assert_eq!(local.ip, hosts[usize::from(bytes[1])].parse::<IpAddr>().unwrap());
                    assert!(local.is_own);
                    assert_ne!(local.interface, 0);
                    assert_eq!(from.is_ipv6(), is_v6);
                    let source = Some(Source { ip: local.ip, interface: 0 });
                    Outgoing { to: Some(*from), source, bytes }
                })
                .collect();
            let mut sent = 0;
            while sent < answers.len() {
                sent += outbox.send(&server.0, &answers[sent..]).unwrap();
            }
            for (at, asker) in askers.iter().enumerate() {
                for count in 0..20u8 {
                    let mut bytes = [0; 9];
                    assert_eq!(asker.recv(&mut bytes).unwrap(), 2);
                    assert_eq!(bytes[..2], [count / 5, at as u8]);
                }
            }
        }
    }

    #[test]
    fn a_run_from_an_address_that_is_gone_fails_by_itself() {
        for (bound, own, gone) in
            [("0.0.0.0:0", "127.0.0.2", "203.0.113.9"), ("[::]:0", "::1", "2001:db8::9")]
        {
            let (socket, ..) = wildcard(bound);
            let receiver = UdpSocket::bind((own.parse::<IpAddr>().unwrap(), 0)).unwrap();
            let to = Some(receiver.local_addr().unwrap());
            let from = |ip: &str, bytes| {
                let source = Some(Source { ip: ip.parse().unwrap(), interface: 0 });
                Outgoing { to, source, bytes }
            };
            let all = [from(own, b"a"), from(gone, b"b"), from(gone, b"b"), from(own, b"c")];
            let mut outbox = Outbox::new();
            assert_eq!(outbox.send(&socket, &all).unwrap(), 1);
            for at in 1..3 {
                let error = outbox.send(&socket, &all[at..]).unwrap_err();
                // For IPv4, newer kernels say that there is no way from there.
                let kinds = [ErrorKind::AddrNotAvailable, ErrorKind::NetworkUnreachable];
                assert!(kinds.contains(&error.kind()), "{error}");
            }
            assert_eq!(outbox.send(&socket, &all[3..]).unwrap(), 1);
            for wanted in [b"a", b"c"] {
                let mut bytes = [0; 9];
                let (_, from) = receiver.recv_from(&mut bytes).unwrap();
                assert_eq!(bytes[..1], wanted[..]);
                assert_eq!(from.ip(), own.parse::<IpAddr>().unwrap());
            }
        }
    }

    #[test]
    fn the_address_of_a_group_is_no_source() {
        let server = wildcard("0.0.0.0:0");
        let group = "239.77.1.2".parse().unwrap();
        server.0.join_multicast_v4(&group, &"127.0.0.1".parse().unwrap()).unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        SockRef::from(&sender).set_multicast_if_v4(&"127.0.0.1".parse().unwrap()).unwrap();
        sender.send_to(b"x", (group, server.2)).unwrap();
        let (local, ..) = receive(&server, 1)[0];
        assert_eq!((local.ip, local.is_own), (group.into(), false));
    }
}
