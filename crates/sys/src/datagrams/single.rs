//! Systems other than Linux: one datagram per call.

use super::{Got, LARGEST, Memory, Outgoing, RECEIVED_AT_ONCE, SENT_AT_ONCE};
use socket2::{MaybeUninitSlice, SockAddr, Socket};
use std::io;
use std::mem::MaybeUninit;

/// Memory to receive datagrams into.
#[derive(Debug)]
pub struct Inbox {
    pub(super) memory: Memory,
    pub(super) got: Vec<Got>,
    /// The error of the call after the last datagram, which the system would not report again.
    failure: Option<io::Error>,
}

impl Inbox {
    /// Makes room for as many datagrams as one call receives, each of the largest size.
    #[must_use]
    pub fn new() -> Self {
        Self { memory: Memory::new(), got: Vec::with_capacity(RECEIVED_AT_ONCE), failure: None }
    }

    /// Receives at most `count` datagrams of at most `max` bytes each, in place of the last ones. Returns how
    /// many. If there are fewer than asked for, no more are waiting, unless the socket has an error.
    ///
    /// # Errors
    /// Those of receiving, if no datagram was received before the error.
    pub fn receive(&mut self, socket: &Socket, count: usize, max: usize) -> io::Result<usize> {
        self.got.clear();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let max = max.min(LARGEST);
        let slots = self.memory.0.chunks_exact_mut(LARGEST).enumerate();
        for (at, slot) in slots.take(count.clamp(1, RECEIVED_AT_ONCE)) {
            let room: *mut [u8] = &raw mut slot[..max];
            // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, the slice is borrowed from `slot` for as
            // long as this one lives, and only initialised bytes are written to it.
            let room = unsafe { &mut *(room as *mut [MaybeUninit<u8>]) };
            match socket.recv_from_vectored(&mut [MaybeUninitSlice::new(room)]) {
                Ok((length, flags, from)) => {
                    let is_truncated = flags.is_truncated();
                    // Windows does not say how long a cut datagram is: it fills all the room.
                    let length = if is_truncated { max } else { length.min(max) };
                    let (from, start) = (from.as_socket(), at * LARGEST);
                    self.got.push(Got { from, start, length, is_truncated });
                }
                Err(error) if self.got.is_empty() => return Err(error),
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        self.failure = Some(error);
                    }
                    break;
                }
            }
        }
        Ok(self.got.len())
    }

    /// Does the same, because there are no trains here.
    ///
    /// # Errors
    /// As for [`receive`](Self::receive).
    pub fn receive_trains(
        &mut self,
        socket: &Socket,
        count: usize,
        max: usize,
    ) -> io::Result<usize> {
        self.receive(socket, count, max)
    }
}

/// What sending needs beside the datagrams, which is nothing here.
#[derive(Debug, Default)]
pub struct Outbox(());

impl Outbox {
    /// Makes an empty outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the first of these datagrams, as many as the kernel takes. Returns how many, at least one.
    ///
    /// # Errors
    /// Those of sending the first datagram.
    pub fn send(&mut self, socket: &Socket, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
        for (sent, datagram) in datagrams.iter().take(SENT_AT_ONCE).enumerate() {
            let result = match datagram.to {
                Some(to) => socket.send_to(datagram.bytes, &SockAddr::from(to)),
                None => socket.send(datagram.bytes),
            };
            match result {
                Ok(_) => {}
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
            }
        }
        Ok(datagrams.len().min(SENT_AT_ONCE))
    }
}

/// How many datagrams for this socket the kernel dropped. `None`: the system does not say.
#[must_use]
pub fn dropped(_socket: &Socket) -> Option<u32> {
    None
}

/// Lets the kernel hand over several datagrams of one sender in one piece. False: the system cannot.
#[must_use]
pub fn take_trains(_socket: &Socket) -> bool {
    false
}
