//! Waiting for what a user is told.

use super::User;
use crate::support::event::{Closed, Event, Key, What};
use std::net::{SocketAddr, TcpStream};

impl User {
    /// The next event.
    pub fn next(&mut self) -> Event {
        self.until(|user| {
            if user.backlog.is_empty() {
                user.take();
            }
            user.backlog.pop_front()
        })
    }

    /// The next event for which `wanted` returns something; the others stay in the backlog.
    pub fn find<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let mut seen = 0;
        self.until(|user| {
            user.take();
            let found = (seen..user.backlog.len())
                .find_map(|at| wanted(&user.backlog[at]).map(|found| (at, found)));
            seen = user.backlog.len();
            let (at, found) = found?;
            user.backlog.remove(at);
            Some(found)
        })
    }

    /// Drops the events that were taken and not asked for.
    pub fn forget(&mut self) {
        self.backlog.clear();
    }

    /// Whether such an event is already here.
    pub fn has(&mut self, wanted: impl Fn(&Event) -> bool) -> bool {
        self.take();
        self.backlog.iter().any(wanted)
    }

    pub fn opened(&mut self) -> Key {
        self.find(|event| matches!(event.what, What::Open { .. }).then_some(event.key))
    }

    /// The connection that a dial made, or the datagram socket of that number.
    pub fn connected(&mut self, number: u32) -> Key {
        self.find(|event| match event.what {
            What::Open { listener, .. } if listener == number => Some(event.key),
            _ => None,
        })
    }

    /// The error of a dial that failed.
    pub fn refused(&mut self, number: u32) -> i32 {
        self.find(|event| match event.what {
            What::ConnectFailed(id, errno) if id == number => Some(errno),
            _ => None,
        })
    }

    /// The connection of that peer.
    pub fn opened_by(&mut self, peer: &TcpStream) -> Key {
        let address = peer.local_addr().unwrap();
        self.find(|event| match event.what {
            What::Open { remote: Some(remote), .. } if remote == address => Some(event.key),
            _ => None,
        })
    }

    pub fn data(&mut self, key: Key) -> Vec<u8> {
        self.find(|event| match &event.what {
            What::Data(bytes) if event.key == key => Some(bytes.clone()),
            _ => None,
        })
    }

    /// The sender and the bytes of the next datagram of that socket.
    pub fn datagram(&mut self, key: Key) -> (SocketAddr, Vec<u8>) {
        self.find(|event| match &event.what {
            What::Datagram { from: Some(from), bytes, .. } if event.key == key => {
                Some((*from, bytes.clone()))
            }
            _ => None,
        })
    }

    pub fn eof(&mut self, key: Key) -> u32 {
        self.find(|event| match event.what {
            What::Eof(reason) if event.key == key => Some(reason),
            _ => None,
        })
    }

    pub fn closed(&mut self, key: Key) -> Closed {
        self.find(|event| match event.what {
            What::Close(closed) if event.key == key => Some(closed),
            _ => None,
        })
    }

    pub fn told(&mut self, key: Key, what: &What) {
        self.find(|event| (event.key == key && event.what == *what).then_some(()));
    }
}
