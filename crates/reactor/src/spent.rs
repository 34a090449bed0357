//! The budget of reading that a socket used up last.

use crate::conn::Next;
use crate::io::Io;

/// Where the ring stood when it was used up: the next one begins when all before that is consumed, so
/// that nobody waits for more than one of them.
#[derive(Debug, Default)]
pub(crate) struct Spent(Option<u32>);

impl Spent {
    /// What has to come before more is read into the ring: that this budget is consumed, or that those
    /// have room who wait for it already. Nothing if it may be read at once.
    pub(crate) fn keeps_from_reading(&mut self, io: &mut Io) -> Option<Next> {
        if let Some(position) = self.0
            && !io.inbound.is_consumed(position)
        {
            return Some(Next::Hold(position));
        }
        self.0 = None;
        io.is_crowded.then_some(Next::Starve)
    }

    /// Another is used up, as far as the ring stands now.
    pub(crate) fn note(&mut self, io: &Io) -> Next {
        let position = io.inbound.position();
        self.0 = Some(position);
        Next::Hold(position)
    }
}
