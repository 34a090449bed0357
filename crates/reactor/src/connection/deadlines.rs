//! Limits in time of a connection.
//!
//! A limit is a field of [`Deadlines`], a line in `next_deadline` and a line in `expire`.

use super::{Connection, Input, Phase};
use crate::notices::Cause;
use crate::run_queue::Next;
use crate::timers::{Clock, Deadline, TimeLimit};
use millrace_ring::record::reason;

/// The limits in time that may be running.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// How long an ended connection may take to flush and to see the peer's FIN.
    linger: TimeLimit,
}

impl Connection {
    /// When the first limit ends, at which `expire` is to be called. Asked whenever the connection did
    /// something.
    pub(crate) fn next_deadline(&mut self, clock: Clock) -> Option<Deadline> {
        let lingers = self.transport.is_open() && self.is_ending();
        self.deadlines.linger.keep(lingers.then_some(self.profile.options.linger), clock)
    }

    /// Nothing more is delivered, and the output has ended; with half-open connections too.
    fn is_ending(&self) -> bool {
        self.phase != Phase::Open && self.input != Input::Flowing
    }

    /// A limit has ended.
    pub(crate) fn expire(&mut self) -> Next {
        if self.phase == Phase::Open {
            return Next::Wait;
        }
        Next::Close(self.failure.unwrap_or(Cause::of(reason::LINGER_TIMEOUT)))
    }
}
