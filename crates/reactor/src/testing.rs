//! What the unit tests of several modules begin with.

use crate::bound::{ListenOptions, Place};
use crate::framing::Framing;
use crate::io::Io;
use crate::listener::Limits;
use crate::options::SocketOptions;
use crate::shared::{Bell, LoopHandle};
use millrace_ring::{Consumer, Memory, pair};
use mio::{Poll, Token, Waker};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The number of the listener that [`listening`] is of.
pub(crate) const LISTENER: u32 = 7;

/// A bell that nobody hears.
#[derive(Debug)]
pub(crate) struct Silent;

impl Bell for Silent {
    fn ring(&self) {}
}

/// What a loop lends its connections, the far end of its inbound ring, and its poll.
pub(crate) fn io(ring: usize) -> (Io, Consumer, Poll) {
    let poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let shared = LoopHandle::new(waker, Arc::new(Silent)).0;
    let (producer, consumer) = pair(Memory::leaked(ring).unwrap());
    (Io::new(producer, shared, Instant::now()), consumer, poll)
}

/// How to listen, where it does not matter.
pub(crate) fn listening() -> ListenOptions {
    ListenOptions {
        id: LISTENER,
        place: Place::Tcp {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            dual_stack: false,
            reuse_port: false,
            device: None,
        },
        backlog: 16,
        framing: Framing::Raw,
        limits: Limits {
            high_water: 1 << 20,
            auto_pause: true,
            allow_half_open: false,
            linger: Duration::from_secs(30),
            socket: SocketOptions::default(),
        },
    }
}
