//! The local addresses of a datagram socket that is bound to all addresses of this machine.

use crate::support::user::Socket;
use crate::support::{Setup, User, What, net};
use millrace_reactor::DatagramOptions;
use millrace_ring::record::reason;
use millrace_sys::datagrams::{Outbox, Outgoing};
use socket2::SockRef;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// A socket on that address; small datagrams fit the rings of every setup.
fn options(address: &str) -> DatagramOptions {
    DatagramOptions {
        max: 900,
        dual_stack: true,
        ..DatagramOptions::new(1, address.parse().unwrap())
    }
}

/// A peer that the kernel gives nothing but what that address sends.
fn asker(asked: &str, port: u16) -> UdpSocket {
    let asked: IpAddr = asked.parse().unwrap();
    let own = if asked.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" };
    let socket = UdpSocket::bind(own).unwrap();
    socket.set_read_timeout(Some(net::PATIENCE)).unwrap();
    socket.connect((asked, port)).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> Vec<u8> {
    let mut bytes = vec![0; 2000];
    let length = socket.recv(&mut bytes).unwrap();
    bytes.truncate(length);
    bytes
}

/// The next datagram: its sender, where it was sent to, and its bytes.
fn asked(user: &mut User, socket: &Socket) -> (SocketAddr, Option<SocketAddr>, Vec<u8>) {
    user.find(|event| match &event.what {
        What::Datagram { from: Some(from), local, bytes, .. } if event.key == socket.key => {
            Some((*from, *local, bytes.clone()))
        }
        _ => None,
    })
}

const BINDINGS: [(&str, &[&str]); 2] = [
    ("0.0.0.0:0", &["127.0.0.2", "127.0.0.3", "127.0.0.1"]),
    ("[::]:0", &["127.0.0.2", "::1", "127.0.0.1"]),
];

#[test]
fn trains_and_batches_with_several_local_addresses_are_answered_from_each() {
    for setup in Setup::ALL {
        for (bound, hosts) in BINDINGS {
            let mut user = User::start(setup);
            let socket = user.bind(0, &options(bound));
            let askers: Vec<_> =
                hosts.iter().map(|host| asker(host, socket.address.port())).collect();
            let mut outbox = Outbox::new();
            let mut wanted = vec![Vec::new(); askers.len()];
            for round in 0..6u8 {
                for (at, asker) in askers.iter().enumerate() {
                    let all: Vec<_> =
                        (0..5u8).map(|each| vec![round, at as u8, each, 7, 7]).collect();
                    let run: Vec<_> = all
                        .iter()
                        .map(|bytes| Outgoing { to: None, source: None, bytes })
                        .collect();
                    let mut sent = 0;
                    while sent < run.len() {
                        sent += outbox.send(&SockRef::from(asker), &run[sent..]).unwrap();
                    }
                    wanted[at].extend(all);
                }
            }
            // All questions first, so that the answers go out together.
            let questions: Vec<_> =
                (0..30 * askers.len()).map(|_| asked(&mut user, &socket)).collect();
            for (from, local, bytes) in questions {
                let host: IpAddr = hosts[usize::from(bytes[1])].parse().unwrap();
                let own = SocketAddr::new(host, socket.address.port());
                assert_eq!(local, Some(own), "{setup:?}");
                user.send_from(socket.key, host, from, &bytes);
            }
            user.ask(socket.key);
            user.told(socket.key, &What::Drain);
            for (asker, wanted) in askers.iter().zip(wanted) {
                let seen: Vec<_> = wanted.iter().map(|_| receive(asker)).collect();
                assert_eq!(seen, wanted, "{setup:?}");
            }
            assert_eq!(socket.handle.counts().errors, 0);
        }
    }
}

#[test]
fn an_answer_from_an_address_that_is_gone_is_an_error_and_no_other_is_lost() {
    for setup in Setup::ALL {
        for (bound, own, gone) in
            [("0.0.0.0:0", "127.0.0.2", "203.0.113.9"), ("[::]:0", "::1", "2001:db8::9")]
        {
            let mut user = User::start(setup);
            let socket = user.bind(0, &options(bound));
            let asker = asker(own, socket.address.port());
            let to = asker.local_addr().unwrap();
            for text in [&b"one"[..], b"two", b"end"] {
                user.send_from(socket.key, own.parse().unwrap(), to, text);
                user.send_from(socket.key, gone.parse().unwrap(), to, b"lost");
                user.send_from(socket.key, gone.parse().unwrap(), to, b"lost");
            }
            for wanted in ["one", "two", "end"] {
                user.ask(socket.key);
                user.told(socket.key, &What::Drain);
                assert_eq!(receive(&asker), wanted.as_bytes(), "{setup:?}");
            }
            let mut told = 0;
            while told < 6 {
                told += user.find(|event| match event.what {
                    What::Trouble { count, is_receiving: false, errno } => {
                        assert_ne!(errno, 0);
                        Some(count)
                    }
                    _ => None,
                });
            }
            assert_eq!((told, socket.handle.counts().sent), (6, 3), "{setup:?}");
            user.end(socket.key);
            assert_eq!(user.closed(socket.key).reason, reason::NONE);
        }
    }
}

#[test]
fn a_socket_with_one_address_is_told_no_local_address() {
    for setup in Setup::ALL {
        let mut user = User::start(setup);
        let socket = user.bind(0, &options("127.0.0.2:0"));
        let asker = asker("127.0.0.2", socket.address.port());
        asker.send(b"text").unwrap();
        let (from, local, bytes) = asked(&mut user, &socket);
        assert_eq!((local, &bytes[..]), (None, &b"text"[..]), "{setup:?}");
        user.send_to(socket.key, Some(from), &bytes);
        user.ask(socket.key);
        user.told(socket.key, &What::Drain);
        assert_eq!(receive(&asker), b"text");
    }
}
