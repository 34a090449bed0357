//! What a socket needs after it did what it could, and the queue of those that go on in the next turn.

use crate::inbound::{Credit, Inbound, Until};
use crate::notices::Cause;
use std::collections::VecDeque;

/// What a socket needs next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// An event, or a record.
    Wait,
    /// Another turn: it used up its budget.
    Again,
    /// Back-pressure has to end before more input is read.
    Hold(Until),
    /// Its input is to be passed on to the other side of its pipe.
    Relay,
    /// To be closed.
    Close(Cause),
}

impl Next {
    /// Combines what the input needs (`self`) with what the output needs.
    pub(crate) fn beside(self, output: Self) -> Self {
        match (output, self) {
            // There is more to send, whether or not the ring takes more input.
            (Self::Again, Self::Wait | Self::Hold(_)) => Self::Again,
            (_, input) => input,
        }
    }
}

/// Where a socket is queued. It may be queued to run and held at once: output goes on while input waits.
#[derive(Debug, Default)]
pub(crate) struct Scheduling {
    is_ready: bool,
    /// Its share of the inbound ring.
    pub(crate) credit: Credit,
}

/// Sockets that go on in the next turn, by slot.
#[derive(Debug, Default)]
pub(crate) struct RunQueue {
    ready: VecDeque<u32>,
}

impl RunQueue {
    pub(crate) fn len(&self) -> usize {
        self.ready.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    /// Queues a socket where it has to go next, unless it is there already.
    pub(crate) fn put(
        &mut self,
        slot: u32,
        next: Next,
        scheduling: &mut Scheduling,
        inbound: &mut Inbound,
    ) {
        match next {
            Next::Wait | Next::Relay | Next::Close(_) => {}
            Next::Again if scheduling.is_ready => {}
            Next::Again => {
                scheduling.is_ready = true;
                self.ready.push_back(slot);
            }
            Next::Hold(until) => inbound.hold(slot, until, &mut scheduling.credit),
        }
    }

    /// Takes out the socket that has waited longest; the caller calls its [`Scheduling::leave_queue`].
    pub(crate) fn pop(&mut self) -> Option<u32> {
        self.ready.pop_front()
    }
}

impl Scheduling {
    /// Notes that the socket was taken from the run queue.
    pub(crate) fn leave_queue(&mut self) {
        self.is_ready = false;
    }
}

#[cfg(test)]
mod tests {
    use super::Next;
    use crate::inbound::Until;
    use crate::notices::Cause;

    #[test]
    fn output_that_is_not_all_sent_goes_on_whether_or_not_the_input_does() {
        for input in [Next::Wait, Next::Hold(Until::Room), Next::Again] {
            assert_eq!(input.beside(Next::Again), Next::Again);
            assert_eq!(input.beside(Next::Wait), input);
        }
        let close = Next::Close(Cause::NONE);
        assert_eq!(close.beside(Next::Again), close);
        assert_eq!(close.beside(Next::Wait), close);
    }
}
