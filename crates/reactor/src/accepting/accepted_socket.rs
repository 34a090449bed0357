//! A socket on its way from its listener to a loop.

use crate::address::Address;
use crate::profile::Profile;
use crate::service::Place;
use crate::transport::Socket;
use std::sync::Arc;

/// A socket that was accepted. If nobody takes it, the socket closes and its place is free again.
#[derive(Debug)]
pub(crate) struct AcceptedSocket {
    pub(crate) socket: Socket,
    pub(crate) peer: Address,
    pub(crate) profile: Arc<Profile>,
    /// Declared after the socket, which has to close before its service hears of that: a listener may have
    /// waited for the descriptor.
    pub(crate) place: Place,
}
