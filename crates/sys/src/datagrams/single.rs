//! Systems other than Linux: one datagram per call.

#[cfg(tells_locals)]
use super::addressed::Received;
use super::inbox::Wanted;
use super::{Extras, Got, LARGEST, Memory, Outgoing, RECEIVED_AT_ONCE, SENT_AT_ONCE};
use socket2::{MaybeUninitSlice, SockAddr, Socket};
use std::io;
use std::mem::MaybeUninit;

/// What was received.
#[cfg(not(tells_locals))]
#[derive(Debug)]
struct Received {
    length: usize,
    is_truncated: bool,
    from: Option<std::net::SocketAddr>,
    local: Option<super::Local>,
}

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

    /// Fills the empty inbox. Returns how many datagrams were received.
    pub(super) fn fill(&mut self, socket: &Socket, wanted: Wanted) -> io::Result<usize> {
        let Wanted { count, max, extras } = wanted;
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        let slots = self.memory.0.chunks_exact_mut(LARGEST).enumerate();
        for (at, slot) in slots.take(count) {
            let room: *mut [u8] = &raw mut slot[..max];
            // SAFETY: `MaybeUninit<u8>` has the layout of `u8`, the slice is borrowed from `slot` for as
            // long as this one lives, and only initialised bytes are written to it.
            let room = unsafe { &mut *(room as *mut [MaybeUninit<u8>]) };
            match receive_one(socket, room, extras) {
                Ok(Received { length, is_truncated, from, local }) => {
                    // Windows does not say how long a cut datagram is: it fills all the room.
                    let length = if is_truncated { max } else { length.min(max) };
                    let start = at * LARGEST;
                    self.got.push(Got { from, local, start, length, is_truncated });
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
            match send_one(socket, datagram) {
                Ok(_) => {}
                Err(error) if sent == 0 => return Err(error),
                Err(_) => return Ok(sent),
            }
        }
        Ok(datagrams.len().min(SENT_AT_ONCE))
    }
}

fn receive_one(
    socket: &Socket,
    room: &mut [MaybeUninit<u8>],
    extras: Extras,
) -> io::Result<Received> {
    #[cfg(tells_locals)]
    if extras.locals {
        return super::addressed::receive(socket, room);
    }
    debug_assert!(!extras.locals, "the system does not tell it");
    let (length, flags, from) = socket.recv_from_vectored(&mut [MaybeUninitSlice::new(room)])?;
    let is_truncated = flags.is_truncated();
    Ok(Received { length, is_truncated, from: from.as_socket(), local: None })
}

fn send_one(socket: &Socket, datagram: &Outgoing<'_>) -> io::Result<usize> {
    let Outgoing { to, bytes, .. } = *datagram;
    #[cfg(tells_locals)]
    if let Some(source) = datagram.source {
        return super::addressed::send(socket, bytes, to, source);
    }
    match to {
        Some(to) => socket.send_to(bytes, &SockAddr::from(to)),
        None => socket.send(bytes),
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
