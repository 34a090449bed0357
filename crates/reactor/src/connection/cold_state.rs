//! The part of a connection's state that most connections never need.

use super::last_replies::LastReplies;
use super::linger::Linger;
use super::relay::Relay;
use super::switching::Switch;
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
    /// Where in the output the reply ends that stopped the reading.
    pub(super) replied_until: u64,
    /// Where the output ended when the user asked to be told that it has drained.
    pub(super) asked_until: u64,
    /// The files that the user sends.
    pub(super) files: Files,
    /// The server asked to end the input while the stream could not be cut any further.
    pub(super) drain_owed: bool,
    /// The pipe or the stream that has the input.
    pub(super) relay: Option<Relay>,
    /// The input is about to go on under another framing.
    pub(super) switch: Option<Switch>,
    /// How many frames it may have waiting in the ring, if it went on under another framing lately.
    pub(super) few_frames: Option<u32>,
}

/// Which part of the output is files: until all of a file went out, the peer might take what it has for all.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Files {
    /// Where the last byte of a file stands that is written.
    pub(super) until: u64,
    /// Where the file begins that is being sent.
    pub(super) since: Option<u64>,
}

impl Files {
    /// Whether a connection that ends now would cut a file, with so many bytes written and sent.
    pub(super) fn are_cut(self, written: u64, sent: u64) -> bool {
        sent < self.until || self.since.is_some_and(|since| written > since)
    }
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

    pub(super) fn replied_until(&self) -> u64 {
        self.0.as_ref().map_or(0, |fields| fields.replied_until)
    }

    pub(super) fn asked_until(&self) -> u64 {
        self.0.as_ref().map_or(0, |fields| fields.asked_until)
    }

    pub(super) fn files(&self) -> Files {
        self.0.as_ref().map_or_else(Files::default, |fields| fields.files)
    }

    /// Takes back that the input was to be ended.
    pub(super) fn take_drain_owed(&mut self) -> bool {
        self.0.as_mut().is_some_and(|fields| mem::take(&mut fields.drain_owed))
    }

    pub(super) fn switch(&self) -> Option<&Switch> {
        self.0.as_ref()?.switch.as_ref()
    }

    pub(super) fn switch_mut(&mut self) -> Option<&mut Switch> {
        self.0.as_mut()?.switch.as_mut()
    }

    pub(super) fn take_switch(&mut self) -> Option<Switch> {
        self.0.as_mut()?.switch.take()
    }

    pub(super) fn few_frames(&self) -> Option<u32> {
        self.0.as_ref()?.few_frames
    }

    pub(super) fn relay(&self) -> Option<&Relay> {
        self.0.as_ref()?.relay.as_ref()
    }

    pub(super) fn relay_mut(&mut self) -> Option<&mut Relay> {
        self.0.as_mut()?.relay.as_mut()
    }
}
