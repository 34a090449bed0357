//! The lists of a loop's sockets that go on later: in the next turn, or once the user empties the ring.

use crate::conn::Next;
use crate::io::Io;
use std::collections::VecDeque;

/// In which of the lists a socket is. It may be in both: output goes on while input waits.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Listed {
    /// In the list of those to go on with in the next turn.
    pub(crate) is_ready: bool,
    /// In a list of those that wait for the user to empty the ring.
    pub(crate) is_waiting: bool,
}

/// Sockets by slot.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Those that can go on in the next turn.
    pub(crate) ready: VecDeque<u32>,
    /// Those that wait for the user to empty the ring.
    pub(crate) starved: VecDeque<u32>,
    /// Those that used up their budget, and up to where the ring has to be consumed before they have
    /// another; in the order of those positions.
    pub(crate) held: VecDeque<(u32, u32)>,
}

impl Lists {
    /// Puts a socket where it has to go next, unless it is there.
    pub(crate) fn put(&mut self, slot: u32, next: Next, listed: &mut Listed, io: &mut Io) {
        match next {
            Next::Wait | Next::Close(_) => {}
            Next::Again if listed.is_ready => {}
            Next::Starve | Next::Hold(_) if listed.is_waiting => {}
            Next::Again => {
                listed.is_ready = true;
                self.ready.push_back(slot);
            }
            Next::Starve => {
                listed.is_waiting = true;
                self.starved.push_back(slot);
                io.is_crowded = true;
            }
            Next::Hold(position) => {
                listed.is_waiting = true;
                self.held.push_back((slot, position));
            }
        }
    }
}
