//! One attempt to connect, which never waits.

use super::{Dial, DialTarget};
use crate::transport::{Socket, SocketOptions};
use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockAddr};
use std::io;
use std::net::SocketAddr;

/// How far one attempt came.
pub(crate) enum Attempt {
    /// The peer has accepted the connection.
    Connected(Socket),
    /// The peer's answer is awaited: the socket becomes writable.
    InProgress(Socket),
    /// The peer's backlog is full, and no event will say when it is not.
    BacklogFull(socket2::Socket),
}

impl Dial {
    /// Makes a socket and begins to connect it.
    pub(crate) fn begin(&self) -> io::Result<Attempt> {
        let options = &self.profile.options.socket;
        match &self.target {
            DialTarget::Tcp { address, local, device } => {
                connect_tcp(*address, *local, device.as_deref(), options)
            }
            DialTarget::Unix { path } => {
                // Before the socket: some platforms have Unix sockets and mio does not, which this reports.
                let address = millrace_sys::unix_address(path)?;
                let socket = millrace_sys::stream_socket(Domain::UNIX, None)?;
                options.connecting(&socket, false)?;
                connect_unix(socket, &address)
            }
        }
    }

    /// Tries again with a socket that found the peer's backlog full.
    pub(crate) fn again(&self, socket: socket2::Socket) -> io::Result<Attempt> {
        match &self.target {
            DialTarget::Unix { path } => connect_unix(socket, &millrace_sys::unix_address(path)?),
            DialTarget::Tcp { .. } => self.begin(),
        }
    }
}

fn connect_unix(socket: socket2::Socket, address: &SockAddr) -> io::Result<Attempt> {
    match socket.connect(address) {
        Ok(()) => Ok(Attempt::Connected(Socket::unix(millrace_sys::unix_stream(socket)?))),
        Err(error) if millrace_sys::is_begun(&error) => {
            let socket = Socket::unix(millrace_sys::unix_stream(socket)?);
            Ok(Attempt::InProgress(socket.connecting()))
        }
        // Linux reports a full backlog like this; the BSDs and macOS refuse the connection.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Attempt::BacklogFull(socket)),
        Err(error) => Err(error),
    }
}

fn connect_tcp(
    address: SocketAddr,
    local: Option<SocketAddr>,
    device: Option<&str>,
    options: &SocketOptions,
) -> io::Result<Attempt> {
    let domain = Domain::for_address(address);
    let socket = millrace_sys::stream_socket(domain, Some(Protocol::TCP))?;
    // Before the handshake: buffer sizes decide how far windows scale.
    options.connecting(&socket, true)?;
    if let Some(interface) = device {
        millrace_sys::bind_to_device(&socket, interface)?;
    }
    if let Some(local) = local {
        if local.port() == 0 {
            millrace_sys::choose_port_late(&socket);
        }
        socket.bind(&SockAddr::from(local))?;
    }
    let begun = socket.connect(&SockAddr::from(address));
    let socket = Socket::tcp(TcpStream::from_std(socket.into()));
    match begun {
        // With fast open: the first write connects.
        Ok(()) => Ok(Attempt::Connected(socket)),
        Err(error) if millrace_sys::is_begun(&error) => {
            Ok(Attempt::InProgress(socket.connecting()))
        }
        Err(error) => Err(error),
    }
}
