//! The part of a connection's state that most connections never need.

use super::last_replies::LastReplies;
use super::linger::Linger;
use super::relay::Relay;
use super::timeout_watch::TimeoutWatch;
use std::mem;

/// Allocated at its first use, so that an idle connection stays small.
#[derive(Debug, Default)]
pub(super) struct ColdState(Option<Box<Fields>>);

#[derive(Debug, Default)]
pub(super) struct Fields {
    /// While the connection closes.
    pub(super) linger: Option<Linger>,
    /// After a failure that the user has heard of.
    pub(super) last_replies: Option<LastReplies>,
    /// The limits in time that the user set.
    pub(super) timeouts: Option<TimeoutWatch>,
    /// Where in the output a file ends that the user sends: `u64::MAX` while that is not known.
    pub(super) file_until: u64,
    /// The server asked to end the input while the stream could not be cut any further.
    pub(super) drain_owed: bool,
    /// The pipe or the stream that has the input.
    pub(super) relay: Option<Relay>,
}

impl ColdState {
    pub(super) fn allocated(&mut self) -> &mut Fields {
        self.0.get_or_insert_default()
    }

    pub(super) fn last_replies(&self) -> Option<&LastReplies> {
        self.0.as_ref()?.last_replies.as_ref()
    }

    pub(super) fn last_replies_mut(&mut self) -> Option<&mut LastReplies> {
        self.0.as_mut()?.last_replies.as_mut()
    }

    pub(super) fn timeouts(&self) -> Option<&TimeoutWatch> {
        self.0.as_ref()?.timeouts.as_ref()
    }

    pub(super) fn timeouts_mut(&mut self) -> Option<&mut TimeoutWatch> {
        self.0.as_mut()?.timeouts.as_mut()
    }

    /// Takes back that the input was to be ended.
    pub(super) fn file_until(&self) -> u64 {
        self.0.as_ref().map_or(0, |fields| fields.file_until)
    }

    pub(super) fn take_drain_owed(&mut self) -> bool {
        self.0.as_mut().is_some_and(|fields| mem::take(&mut fields.drain_owed))
    }

    pub(super) fn relay(&self) -> Option<&Relay> {
        self.0.as_ref()?.relay.as_ref()
    }

    pub(super) fn relay_mut(&mut self) -> Option<&mut Relay> {
        self.0.as_mut()?.relay.as_mut()
    }
}
