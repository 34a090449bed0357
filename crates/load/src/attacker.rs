//! A client that means no good.

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, Protocol};

/// An attacker that sent so many bytes at once lets others have their turn.
pub const LARGEST_STRIKE: usize = 1 << 20;
/// How many requests one write has.
const BATCH: usize = 128;
/// How much the kernel holds for an attacker that sends as fast as it can. What the server does not take shall not
/// be gigabytes of the machine that measures.
const SEND_BUFFER: usize = 16 * 1024;
/// The bytes of a request: the length of its body, and in the body how large the reply shall be.
const REQUEST: usize = 8;
/// The body that a message announces which never comes whole.
const ANNOUNCED: u32 = 64;

/// What an attacker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Sends a message a byte a second.
    SlowLoris,
    /// Sends requests with large replies as fast as the server takes them, and reads nothing.
    NeverRead,
    /// Connects, and resets the connection.
    ConnectReset,
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "slow-loris" => Ok(Self::SlowLoris),
            "never-read" => Ok(Self::NeverRead),
            "connect-reset" => Ok(Self::ConnectReset),
            _ => Err("neither slow-loris, never-read nor connect-reset"),
        }
    }
}

/// What all attackers send.
#[derive(Debug)]
pub struct Payload {
    /// What they do.
    pub kind: Kind,
    /// The bytes that are sent again and again.
    bytes: Vec<u8>,
}

impl Payload {
    /// Prepares an attack; the replies that are asked for have `reply` bytes.
    pub fn new(kind: Kind, reply: u32) -> Self {
        let bytes = match kind {
            Kind::SlowLoris => {
                let mut message = ANNOUNCED.to_be_bytes().to_vec();
                message.resize(message.len() + ANNOUNCED as usize, b'x');
                message
            }
            Kind::NeverRead => {
                let body = (REQUEST as u32 - 4).to_be_bytes();
                [body, reply.to_be_bytes()].concat().repeat(BATCH)
            }
            Kind::ConnectReset => Vec::new(),
        };
        Self { kind, bytes }
    }

    /// How long an attacker waits from one write to the next; without a time it goes on when it can.
    pub fn interval(&self) -> Option<Duration> {
        (self.kind == Kind::SlowLoris).then_some(Duration::from_secs(1))
    }
}

/// One connection of an attack.
#[derive(Debug)]
pub struct Attacker {
    /// Its socket.
    pub stream: TcpStream,
    /// Its number among all that were begun.
    pub serial: u64,
    /// Whether the connection stands.
    pub is_established: bool,
    /// The bytes that the kernel took.
    sent: usize,
}

impl Attacker {
    /// Starts to connect from `source`.
    pub fn connect(
        kind: Kind,
        serial: u64,
        source: Ipv4Addr,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let socket = millrace_sys::stream_socket(Domain::IPV4, Some(Protocol::TCP))?;
        socket.set_tcp_nodelay(true)?;
        if kind == Kind::ConnectReset {
            // Dropping the socket resets the connection.
            socket.set_linger(Some(Duration::ZERO))?;
        }
        if kind == Kind::NeverRead {
            socket.set_send_buffer_size(SEND_BUFFER)?;
        }
        millrace_sys::choose_port_late(&socket);
        socket.bind(&SocketAddr::from((source, 0)).into())?;
        match socket.connect(&address.into()) {
            Err(error) if !millrace_sys::is_begun(&error) => return Err(error),
            _ => {}
        }
        let stream = TcpStream::from_std(socket.into());
        Ok(Self { stream, serial, is_established: false, sent: 0 })
    }

    /// Sends what its kind sends now, and returns how many bytes that were.
    pub fn send(&mut self, payload: &Payload) -> io::Result<usize> {
        let before = self.sent;
        let length = payload.bytes.len();
        match payload.kind {
            Kind::ConnectReset => {}
            Kind::SlowLoris => {
                let at = self.sent % length;
                self.sent += self.write(&payload.bytes[at..=at])?;
            }
            Kind::NeverRead => loop {
                let at = self.sent % REQUEST;
                let taken = self.write(&payload.bytes[at..])?;
                self.sent += taken;
                if taken == 0 || self.sent - before >= LARGEST_STRIKE {
                    break;
                }
            },
        }
        Ok(self.sent - before)
    }

    /// Writes, and returns 0 if the kernel takes nothing now.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stream.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_how_large_its_reply_shall_be() {
        let payload = Payload::new(Kind::NeverRead, 65_536);
        assert_eq!(payload.bytes.len(), BATCH * REQUEST);
        assert_eq!(payload.bytes[..REQUEST], [0, 0, 0, 4, 0, 1, 0, 0]);
        assert_eq!(payload.interval(), None);
    }

    #[test]
    fn a_slow_message_announces_more_than_a_byte() {
        let payload = Payload::new(Kind::SlowLoris, 0);
        assert_eq!(payload.bytes[..5], [0, 0, 0, 64, b'x']);
        assert_eq!(payload.bytes.len(), 68);
        assert_eq!(payload.interval(), Some(Duration::from_secs(1)));
    }
}
