//! Connections that this side begins: what is asked for, and the socket that comes of it.

use crate::address::Address;
use crate::framing::Framing;
use crate::listener::{Limits, Listener};
use crate::options::SocketOptions;
use crate::socket::Socket;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockAddr};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Whom to connect to.
#[derive(Debug, Clone)]
pub enum Target {
    /// An IP address and a port.
    Tcp {
        /// Theirs.
        address: SocketAddr,
        /// Ours, if it matters; port 0 is any.
        local: Option<SocketAddr>,
        /// The interface to use, on Linux.
        device: Option<String>,
    },
    /// A Unix socket.
    Unix {
        /// Its path; where the first byte is 0, an abstract name of Linux.
        path: Box<[u8]>,
    },
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// A number of the user's choice, which stands in the `OPEN` or the `CONNECT_FAILED` that
    /// answers it, and cancels it.
    pub id: u32,
    /// Whom to.
    pub target: Target,
    /// Do not read before the user says `RESUME`.
    pub paused: bool,
    /// What the stream is cut into.
    pub framing: Framing,
    /// What the connection is held to.
    pub limits: Limits,
}

/// A connection to be made.
#[derive(Debug)]
pub(crate) struct Dial {
    target: Target,
    pub(crate) paused: bool,
    pub(crate) listener: Arc<Listener>,
}

/// How far one try came.
pub(crate) enum Tried {
    /// The peer has it already.
    Connected(Socket),
    /// The peer's answer is awaited: the socket becomes writable.
    Begun(Socket),
    /// The peer has no room for it now, and nothing will say when it has.
    Full(socket2::Socket),
}

impl From<DialOptions> for Dial {
    fn from(options: DialOptions) -> Self {
        let DialOptions { id, target, paused, framing, limits } = options;
        Self { target, paused, listener: Arc::new(Listener { id, framing, limits, service: None }) }
    }
}

impl Dial {
    /// The number of the user's choice.
    pub(crate) fn number(&self) -> u32 {
        self.listener.id
    }

    /// Whom it connects to, as a connection's user sees it.
    pub(crate) fn peer(&self) -> Address {
        match &self.target {
            Target::Tcp { address, .. } => Address::Inet(*address),
            Target::Unix { path } => Address::Unix(path.clone()),
        }
    }

    /// Begins to connect, without waiting.
    pub(crate) fn begin(&self) -> io::Result<Tried> {
        match &self.target {
            Target::Tcp { address, local, device } => {
                let options = &self.listener.limits.socket;
                connect_tcp(*address, *local, device.as_deref(), options)
            }
            Target::Unix { path } => {
                // Before the socket, which some platforms have and mio has not.
                let address = millrace_sys::unix_address(path)?;
                let socket = millrace_sys::stream_socket(Domain::UNIX, None)?;
                self.listener.limits.socket.connecting(&socket, false)?;
                connect_unix(socket, &address)
            }
        }
    }

    /// Tries again with a socket that found no room.
    pub(crate) fn again(&self, socket: socket2::Socket) -> io::Result<Tried> {
        match &self.target {
            Target::Unix { path } => connect_unix(socket, &millrace_sys::unix_address(path)?),
            Target::Tcp { .. } => self.begin(),
        }
    }
}

fn connect_unix(socket: socket2::Socket, address: &SockAddr) -> io::Result<Tried> {
    match socket.connect(address) {
        Ok(()) => Ok(Tried::Connected(Socket::unix(millrace_sys::unix_stream(socket)?))),
        Err(error) if millrace_sys::is_begun(&error) => {
            Ok(Tried::Begun(Socket::unix(millrace_sys::unix_stream(socket)?).connecting()))
        }
        // Linux says so of a full backlog; the BSDs and macOS refuse.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Tried::Full(socket)),
        Err(error) => Err(error),
    }
}

fn connect_tcp(
    address: SocketAddr,
    local: Option<SocketAddr>,
    device: Option<&str>,
    options: &SocketOptions,
) -> io::Result<Tried> {
    let domain = Domain::for_address(address);
    let socket = millrace_sys::stream_socket(domain, Some(Protocol::TCP))?;
    // Before the handshake: buffers decide how far windows scale.
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
        // With fast open: the first write does it.
        Ok(()) => Ok(Tried::Connected(socket)),
        Err(error) if millrace_sys::is_begun(&error) => Ok(Tried::Begun(socket.connecting())),
        Err(error) => Err(error),
    }
}
