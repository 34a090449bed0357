//! Setting socket options, each at the time in a socket's life when it takes effect.

use super::Socket;
use millrace_ring::record::option;
use millrace_sys::{OPTIONS_ARE_INHERITED, SocketOption};
use std::io;

/// Socket options with their values, in the order in which they are set. Options that a kind of socket
/// does not support are skipped: a Unix socket has buffer sizes only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SocketOptions(Box<[(SocketOption, u32)]>);

/// Finds an option by its number in the record table.
#[must_use]
pub fn socket_option(number: u32) -> Option<SocketOption> {
    Some(match number {
        option::NO_DELAY => SocketOption::NoDelay,
        option::KEEP_ALIVE => SocketOption::KeepAlive,
        option::KEEP_IDLE => SocketOption::KeepIdle,
        option::KEEP_INTERVAL => SocketOption::KeepInterval,
        option::KEEP_COUNT => SocketOption::KeepCount,
        option::RESET => SocketOption::Reset,
        option::RECEIVE_BUFFER => SocketOption::ReceiveBuffer,
        option::SEND_BUFFER => SocketOption::SendBuffer,
        option::USER_TIMEOUT => SocketOption::UserTimeout,
        option::QUICK_ACK => SocketOption::QuickAck,
        option::DSCP => SocketOption::Dscp,
        option::FAST_OPEN => SocketOption::FastOpen,
        option::DEFER_ACCEPT => SocketOption::DeferAccept,
        option::FAST_OPEN_CONNECT => SocketOption::FastOpenConnect,
        _ => return None,
    })
}

fn is_buffer(option: SocketOption) -> bool {
    matches!(option, SocketOption::ReceiveBuffer | SocketOption::SendBuffer)
}

/// Whether an option concerns listening sockets only.
fn is_of_listeners(option: SocketOption) -> bool {
    matches!(option, SocketOption::FastOpen | SocketOption::DeferAccept)
}

/// Whether an accepted connection inherits an option from its listening socket.
fn is_inherited(option: SocketOption) -> bool {
    OPTIONS_ARE_INHERITED && option != SocketOption::QuickAck
}

impl SocketOptions {
    /// Makes options from numbers of the record table and values in turn; `None` if a number is
    /// unknown.
    #[must_use]
    pub fn of_pairs(pairs: &[u32]) -> Option<Self> {
        let option = |pair: &[u32]| Some((socket_option(pair[0])?, pair[1]));
        pairs.chunks_exact(2).map(option).collect::<Option<_>>().map(Self)
    }

    fn has(&self, sought: SocketOption) -> bool {
        self.0.iter().any(|(option, value)| *option == sought && *value != 0)
    }

    /// Whether destroying a connection resets it.
    pub(crate) fn resets(&self) -> bool {
        self.has(SocketOption::Reset)
    }

    fn set(
        &self,
        socket: &socket2::Socket,
        applies: impl Fn(SocketOption) -> bool,
    ) -> io::Result<()> {
        let mut options = self.0.iter().filter(|(option, _)| applies(*option));
        options.try_for_each(|(option, value)| option.set(socket, *value))
    }

    /// Sets options on a TCP socket before it listens.
    pub(crate) fn listening(&self, socket: &socket2::Socket) -> io::Result<()> {
        self.set(socket, |option| {
            // Buffer sizes are set before the handshake, which decides how far windows scale.
            is_inherited(option) || is_of_listeners(option) || is_buffer(option)
        })
    }

    /// Sets on a new connection the options that could not be set earlier. A connection that is already
    /// reset refuses options; the next read says why.
    pub(crate) fn opened(&self, socket: &Socket, is_accepted: bool) {
        let is_tcp = socket.is_tcp();
        let applies = |option| match option {
            // This is a state of the connection, which the handshake changes.
            SocketOption::QuickAck => is_tcp,
            _ if !is_accepted || is_of_listeners(option) => false,
            _ => {
                if is_tcp {
                    !is_inherited(option)
                } else {
                    is_buffer(option)
                }
            }
        };
        if self.0.iter().any(|(option, _)| applies(*option)) {
            let _ = socket.with(|socket| self.set(socket, applies));
        }
    }

    /// Sets options on a socket before it connects.
    pub(crate) fn connecting(&self, socket: &socket2::Socket, is_tcp: bool) -> io::Result<()> {
        self.set(socket, |option| if is_tcp { !is_of_listeners(option) } else { is_buffer(option) })
    }

    /// Sets all options on an open connection.
    pub(crate) fn change(&self, socket: &Socket) -> io::Result<()> {
        socket.with(|socket| self.set(socket, |_| true))
    }

    /// The last value of the reset option, if it is among them.
    pub(crate) fn reset(&self) -> Option<bool> {
        let found = self.0.iter().rfind(|(option, _)| *option == SocketOption::Reset);
        found.map(|(_, value)| *value != 0)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::SocketOptions;
    use millrace_ring::record::option;
    use millrace_sys::SocketOption;
    use socket2::{Domain, Socket, Type};

    #[test]
    fn a_listening_socket_gets_its_fast_open_queue() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        assert_eq!(SocketOption::FastOpen.get(&socket).unwrap(), 0);
        let options = SocketOptions::of_pairs(&[option::FAST_OPEN, 16]).unwrap();
        options.listening(&socket).unwrap();
        assert_eq!(SocketOption::FastOpen.get(&socket).unwrap(), 16);
    }
}
