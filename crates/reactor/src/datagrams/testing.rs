//! A datagram socket driven by hand, for tests that have to know what it does.

use super::{BoundDatagramSocket, Boxes, DatagramOptions, DatagramSocket};
use crate::inbound::{Inbound, testing};
use crate::poll::{Key, Poll};
use crate::run_queue::Next;
use millrace_ring::Consumer;
use std::net::UdpSocket;

/// A socket, what its loop lends it, the far end of the ring, and a peer.
pub(super) struct Setup {
    pub(super) socket: DatagramSocket,
    pub(super) inbound: Inbound,
    pub(super) boxes: Boxes,
    pub(super) consumer: Consumer,
    pub(super) peer: UdpSocket,
    pub(super) poll: Poll,
}

impl Setup {
    /// Binds and opens a socket on a ring of so many bytes; the opening counts as told.
    pub(super) fn new(ring: usize, options: &DatagramOptions) -> Self {
        let (inbound, consumer) = testing::inbound(ring);
        let poll = Poll::new().unwrap();
        let bound = BoundDatagramSocket::new(options).unwrap();
        let mut socket = DatagramSocket::open(
            bound,
            poll.registrar(),
            Key::Datagrams { slot: 1, generation: 0 },
        )
        .unwrap();
        socket.notices.opening = None;
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        Self { socket, inbound, boxes: Boxes::default(), consumer, peer, poll }
    }

    pub(super) fn drive(&mut self) -> Next {
        self.socket.drive(0, 0, &mut self.inbound, &mut self.boxes)
    }
}
