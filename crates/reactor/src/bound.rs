//! Listening sockets that are bound.

use crate::address::Address;
use crate::framing::Framing;
use crate::listener::{Limits, Listener};
use crate::listening::Listening;
use crate::service::Service;
use millrace_sys::{BoundPath, Claim, Duplicate};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::SocketAddr;
use std::sync::Arc;
use std::{io, mem};

/// Where to listen.
#[derive(Debug, Clone)]
pub enum Place {
    /// An IP address; port 0 takes any.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Take IPv4 on an IPv6 address too.
        dual_stack: bool,
        /// Let others listen on the same port, with the same option.
        reuse_port: bool,
        /// Take only what comes in by this interface.
        device: Option<String>,
    },
    /// A Unix socket.
    Unix {
        /// Its path; where the first byte is 0, an abstract name of Linux.
        path: Box<[u8]>,
        /// The permissions of the path, if not what the umask leaves.
        mode: Option<u32>,
    },
    /// A socket that listens already, left to us under this number.
    Inherited(u32),
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
    /// Removed when the listener closes. Before the socket, which is closed after: see `BoundPath`.
    path: Option<BoundPath>,
    pub(crate) socket: Listening,
    local: Address,
    pub(crate) listener: Arc<Listener>,
    pub(crate) service: Arc<Service>,
    is_inherited: bool,
    /// After the socket, which is closed before: see `Claim`.
    _claim: Claim,
}

impl Bound {
    /// Binds and listens.
    ///
    /// # Errors
    /// Those of the system, such as `EADDRINUSE`.
    pub fn new(options: ListenOptions, service: &Arc<Service>) -> io::Result<Self> {
        let (socket, path, inherited) = match &options.place {
            Place::Tcp { address, dual_stack, reuse_port, device } => {
                let socket = open_tcp(*address, *dual_stack)?;
                if *reuse_port {
                    millrace_sys::share_port(&socket)?;
                }
                if let Some(interface) = device {
                    millrace_sys::bind_to_device(&socket, interface)?;
                }
                options.limits.socket.listening(&socket)?;
                socket.bind(&(*address).into())?;
                socket.listen(options.backlog)?;
                socket.set_nonblocking(true)?;
                (socket, None, None)
            }
            Place::Unix { path, mode } => {
                let (socket, bound) = millrace_sys::listen_on_path(path, *mode, options.backlog)?;
                socket.set_nonblocking(true)?;
                (socket, bound, None)
            }
            Place::Inherited(descriptor) => {
                let (socket, claim) = millrace_sys::adopt_listener(*descriptor, |socket| {
                    if !socket.local_addr()?.is_unix() {
                        options.limits.socket.listening(socket)?;
                    }
                    socket.set_nonblocking(true)
                })?;
                (socket, None, Some(claim))
            }
        };
        let is_inherited = inherited.is_some();
        let claim = inherited.unwrap_or_else(|| Claim::of(&socket));
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
            path,
            is_inherited,
            _claim: claim,
        })
    }

    /// Another descriptor of the socket, for another process: the path of a Unix socket is then not
    /// removed any more.
    pub(crate) fn duplicate(&mut self) -> io::Result<Duplicate> {
        let descriptor = self.socket.duplicate()?;
        if let Some(path) = &mut self.path {
            path.leave();
        }
        Ok(descriptor)
    }

    /// Closes what is not accepted from after all. A socket that was inherited stays open, to be taken
    /// over again.
    pub fn give_up(self) {
        if self.is_inherited {
            mem::forget(self.socket);
        }
    }

    /// The address it is bound to, with the port that the system chose.
    #[must_use]
    pub fn local(&self) -> &Address {
        &self.local
    }
}

fn open_tcp(address: SocketAddr, dual_stack: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    millrace_sys::prepare_listener(&socket)?;
    if address.is_ipv6() {
        socket.set_only_v6(!dual_stack)?;
    }
    Ok(socket)
}
