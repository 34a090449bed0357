//! A place among a server's connections.

use super::Service;
use std::sync::Arc;

/// A place for one of the connections that a server may have. Dropping it means that the connection has closed, and
/// wakes the threads that wait for that.
#[derive(Debug)]
pub(crate) struct Place(Option<Arc<Service>>);

impl Place {
    pub(super) fn new(service: &Arc<Service>) -> Self {
        Self(Some(service.clone()))
    }

    /// For a connection that belongs to no server.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Frees the place of a connection that has closed, before the rest of the connection is dropped.
    pub(crate) fn free(&mut self) {
        if let Some(service) = self.0.take() {
            service.free();
        }
    }

    /// Gives back a place that no connection had. Threads that wait for a close are not woken: two of them
    /// would wake each other for ever.
    pub(crate) fn give_back(mut self) {
        if let Some(service) = self.0.take() {
            service.give_back();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.free();
    }
}
