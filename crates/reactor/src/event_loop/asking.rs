//! Answers to questions about a connection's socket.

use super::EventLoop;
use crate::handoff::OptionOrder;
use std::io;

impl EventLoop {
    /// Sets or reads options; of a connection that is gone no descriptor is touched.
    pub(super) fn option(
        &mut self,
        slot: u32,
        generation: u32,
        what: OptionOrder,
    ) -> io::Result<u32> {
        let conn = self.conns.find(slot, generation).ok_or(io::ErrorKind::NotConnected)?;
        match what {
            OptionOrder::Set(options) => conn.change(&options).map(|()| 0),
            OptionOrder::Get(option) => {
                let socket = conn.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
                socket.with(|socket| option.get(socket))
            }
        }
    }
}
