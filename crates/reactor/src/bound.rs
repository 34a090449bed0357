//! Listening sockets that are bound.

use crate::address::Address;
use crate::framing::Framing;
use crate::listener::{Limits, Listener};
use crate::listening::Listening;
use crate::service::Service;
#[cfg(unix)]
use crate::unix_path::{self, UnixPath};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// Where to listen.
#[derive(Debug, Clone)]
pub enum Place {
    /// An IP address; port 0 takes any.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Take IPv4 on an IPv6 address too.
        dual_stack: bool,
    },
    /// A Unix socket.
    #[cfg(unix)]
    Unix {
        /// Its path; where the first byte is 0, an abstract name of Linux.
        path: Box<[u8]>,
        /// The permissions of the path, if not what the umask leaves.
        mode: Option<u32>,
    },
}

/// How to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// A number of the user's choice, which stands in every `OPEN`.
    pub id: u32,
    /// Where.
    pub place: Place,
    /// How many connections the kernel may hold ready.
    pub backlog: i32,
    /// What a stream is cut into.
    pub framing: Framing,
    /// What its connections are held to.
    pub limits: Limits,
}

/// A socket that listens, and that nobody accepts from yet.
#[derive(Debug)]
pub struct Bound {
    pub(crate) socket: Listening,
    local: Address,
    pub(crate) listener: Arc<Listener>,
    pub(crate) service: Arc<Service>,
    /// Removed when the listener closes.
    #[cfg(unix)]
    _path: Option<UnixPath>,
}

impl Bound {
    /// Binds and listens.
    ///
    /// # Errors
    /// Those of the system, such as `EADDRINUSE`.
    pub fn new(options: ListenOptions, service: &Arc<Service>) -> io::Result<Self> {
        #[cfg(unix)]
        let mut path = None;
        let socket = match options.place {
            Place::Tcp { address, dual_stack } => bind_tcp(address, dual_stack)?,
            #[cfg(unix)]
            Place::Unix { path: name, mode } => {
                let (socket, bound) = unix_path::bind(&name, mode)?;
                path = bound;
                socket
            }
        };
        socket.set_nonblocking(true)?;
        socket.listen(options.backlog)?;
        let socket = Listening::new(socket)?;
        let local = socket.local_address();
        let listener = Listener {
            id: options.id,
            framing: options.framing,
            limits: options.limits,
            service: Some(service.clone()),
        };
        Ok(Self {
            socket,
            local,
            listener: Arc::new(listener),
            service: service.clone(),
            #[cfg(unix)]
            _path: path,
        })
    }

    /// The address it is bound to, with the port that the system chose.
    #[must_use]
    pub fn local(&self) -> &Address {
        &self.local
    }
}

fn bind_tcp(address: SocketAddr, dual_stack: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    millrace_sys::prepare_listener(&socket)?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}
