//! Setting and reading options of a connection's socket.

use super::EventLoop;
use crate::handoff::SocketOptionCommand;
use std::io;

impl EventLoop {
    /// Sets or reads options. No descriptor is touched if the connection is gone.
    pub(super) fn socket_option(
        &mut self,
        slot: u32,
        generation: u32,
        what: SocketOptionCommand,
    ) -> io::Result<u32> {
        let found = self.connections.find(slot, generation);
        let connection = found.ok_or(io::ErrorKind::NotConnected)?;
        match what {
            SocketOptionCommand::Set(options) => connection.set_options(&options).map(|()| 0),
            SocketOptionCommand::Get(option) => {
                let socket = connection.transport.socket().ok_or(io::ErrorKind::NotConnected)?;
                socket.with(|socket| option.get(socket))
            }
        }
    }
}
