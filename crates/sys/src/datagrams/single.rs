//! Everywhere else: one datagram a call.

use super::{Got, LARGEST, Memory, Outgoing, RECEIVED_AT_ONCE, SENT_AT_ONCE};
use socket2::{MaybeUninitSlice, SockAddr, Socket};
use std::io;
use std::mem::MaybeUninit;

/// Where datagrams are received to.
#[derive(Debug)]
pub struct Inbox {
    pub(super) memory: Memory,
    pub(super) got: Vec<Got>,
    /// What the call behind the last datagram said; asking again would not bring it back.
    failure: Option<io::Error>,
}

impl Inbox {
    /// Room for as many datagrams as one call receives, each of the largest size.
    #[must_use]
    pub fn new() -> Self {
        Self { memory: Memory::new(), got: Vec::with_capacity(RECEIVED_AT_ONCE), failure: None }
    }

    /// Receives at most `count` datagrams of at most `max` bytes each, in place of the last ones; how
    /// many. Fewer than asked for are all there are, unless the socket has an error.
    ///
    /// # Errors
    /// Those of receiving, if there was none before it.
    pub fn receive(&mut self, socket: &Socket, count: usize, max: usize) -> io::Result<usize> {
        self.got.clear();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let max = max.min(LARGEST);
        let slots = self.memory.0.chunks_exact_mut(LARGEST).enumerate();
        for (at, slot) in slots.take(count.clamp(1, RECEIVED_AT_ONCE)) {
            let room: *mut [u8] = &raw mut slot[..max];
            // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, the slice is borrowed from `slot` as
            // long as this one lives, and only whole bytes are written to it.
            let room = unsafe { &mut *(room as *mut [MaybeUninit<u8>]) };
            match socket.recv_from_vectored(&mut [MaybeUninitSlice::new(room)]) {
                Ok((length, flags, from)) => {
                    let is_truncated = flags.is_truncated();
                    // Of one that was cut, Windows does not say how much it has put there: all there
                    // was room for.
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

    /// The same: there are no trains here.
    ///
    /// # Errors
    /// As of [`receive`](Self::receive).
    pub fn receive_trains(
        &mut self,
        socket: &Socket,
        count: usize,
        max: usize,
    ) -> io::Result<usize> {
        self.receive(socket, count, max)
    }
}

/// What sending needs beside the datagrams: nothing here.
#[derive(Debug, Default)]
pub struct Outbox(());

impl Outbox {
    /// Nothing in it yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the first of these datagrams, as many as the kernel takes; how many, at least one.
    ///
    /// # Errors
    /// Those of sending, of the first.
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

/// How many datagrams the kernel dropped that came for this socket: it does not say here.
#[must_use]
pub fn dropped(_socket: &Socket) -> Option<u32> {
    None
}

/// Lets the kernel hand over several datagrams of one sender in one piece: it does not here.
#[must_use]
pub fn take_trains(_socket: &Socket) -> bool {
    false
}
