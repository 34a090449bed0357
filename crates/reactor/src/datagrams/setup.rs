//! A datagram socket driven by hand, where a test has to know what it does.

use super::{BoundDatagrams, Boxes, DatagramOptions, Datagrams};
use crate::conn::Next;
use crate::io::Io;
use crate::testing;
use millrace_ring::Consumer;
use mio::{Poll, Token};
use std::net::UdpSocket;

/// A socket, its loop's near ends, its user's far end, and a peer.
pub(super) struct Setup {
    pub(super) socket: Datagrams,
    pub(super) io: Io,
    pub(super) boxes: Boxes,
    pub(super) consumer: Consumer,
    pub(super) peer: UdpSocket,
    pub(super) poll: Poll,
}

impl Setup {
    /// On a ring of so many bytes; the opening is told.
    pub(super) fn new(ring: usize, options: &DatagramOptions) -> Self {
        let (io, consumer, poll) = testing::io(ring);
        let bound = BoundDatagrams::new(options).unwrap();
        let mut socket = Datagrams::open(bound, poll.registry(), Token(1)).unwrap();
        socket.notes.opening = None;
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self { socket, io, boxes: Boxes::default(), consumer, peer, poll }
    }

    pub(super) fn drive(&mut self) -> Next {
        self.socket.drive(0, 0, &mut self.io, &mut self.boxes)
    }
}
