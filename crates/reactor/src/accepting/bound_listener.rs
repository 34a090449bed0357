//! Binding listening sockets.

use super::listening_socket::ListeningSocket;
use crate::address::Address;
use crate::framing::Framing;
use crate::profile::{ConnectionOptions, Profile};
use crate::proxy::ProxyProtocol;
use crate::service::Service;
use millrace_sys::{BoundPath, Claim, Duplicate};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::SocketAddr;
use std::sync::Arc;
use std::{io, mem};

/// Where to listen.
#[derive(Debug, Clone)]
pub enum ListenAddress {
    /// An IP address; port 0 lets the system choose.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Take IPv4 on an IPv6 address too.
        dual_stack: bool,
        /// Let others listen on the same port, with the same option.
        reuse_port: bool,
        /// Accept only what comes in through this interface.
        device: Option<String>,
    },
    /// A Unix socket.
    Unix {
        /// Its path; if the first byte is 0, an abstract name (Linux).
        path: Box<[u8]>,
        /// The permissions of the path; by default what the umask leaves.
        mode: Option<u32>,
        /// Bind even if another process is binding in the directory. Otherwise binding fails with `EAGAIN`.
        ignores_lock: bool,
    },
    /// A socket that listens already, inherited as this descriptor.
    Inherited(u32),
}

/// How to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// A number of the user's choice, which is in every `OPEN`.
    pub id: u32,
    /// Where to listen.
    pub address: ListenAddress,
    /// How many connections the kernel may hold that are not accepted.
    pub backlog: i32,
    /// How the stream is cut into frames.
    pub framing: Framing,
    /// How its connections behave.
    pub connection: ConnectionOptions,
    /// Whose connections begin with a PROXY header, if anybody's do.
    pub proxy: Option<ProxyProtocol>,
}

/// A socket that listens and is not accepted from yet.
#[derive(Debug)]
pub struct BoundListener {
    /// Removed when the listener closes. Declared before the socket, which has to close later: see
    /// `BoundPath`.
    path: Option<BoundPath>,
    pub(super) socket: ListeningSocket,
    local: Address,
    pub(crate) profile: Arc<Profile>,
    pub(crate) service: Arc<Service>,
    is_inherited: bool,
    /// Declared after the socket, which has to close earlier: see `Claim`.
    _claim: Claim,
}

impl BoundListener {
    /// Binds and listens.
    ///
    /// # Errors
    /// Those of the system, such as `EADDRINUSE`.
    pub fn new(options: ListenOptions, service: &Arc<Service>) -> io::Result<Self> {
        let (socket, path, inherited) = match &options.address {
            ListenAddress::Tcp { address, dual_stack, reuse_port, device } => {
                let socket = open_tcp(*address, *dual_stack)?;
                if *reuse_port {
                    millrace_sys::share_port(&socket)?;
                }
                if let Some(interface) = device {
                    millrace_sys::bind_to_device(&socket, interface)?;
                }
                options.connection.socket.listening(&socket)?;
                socket.bind(&(*address).into())?;
                socket.listen(options.backlog)?;
                socket.set_nonblocking(true)?;
                (socket, None, None)
            }
            ListenAddress::Unix { path, mode, ignores_lock } => {
                let (socket, bound) =
                    millrace_sys::listen_on_path(path, *mode, options.backlog, *ignores_lock)?;
                socket.set_nonblocking(true)?;
                (socket, bound, None)
            }
            ListenAddress::Inherited(descriptor) => {
                let (socket, claim) = millrace_sys::adopt_listener(*descriptor, |socket| {
                    if !socket.local_addr()?.is_unix() {
                        options.connection.socket.listening(socket)?;
                    }
                    socket.set_nonblocking(true)
                })?;
                (socket, None, Some(claim))
            }
        };
        let is_inherited = inherited.is_some();
        let claim = inherited.unwrap_or_else(|| Claim::of(&socket));
        let socket = ListeningSocket::new(socket)?;
        let local = socket.local_address();
        let profile = Profile {
            id: options.id,
            framing: options.framing,
            options: options.connection,
            proxy: options.proxy,
            service: Some(service.clone()),
        };
        Ok(Self {
            socket,
            local,
            profile: Arc::new(profile),
            service: service.clone(),
            path,
            is_inherited,
            _claim: claim,
        })
    }

    /// Makes another descriptor of the socket, for another process. The path of a Unix socket is then not
    /// removed any more.
    pub(super) fn duplicate(&mut self) -> io::Result<Duplicate> {
        let descriptor = self.socket.duplicate()?;
        if let Some(path) = &mut self.path {
            path.leave();
        }
        Ok(descriptor)
    }

    /// Closes a listener that is not used after all. An inherited socket stays open, so that it can be
    /// inherited again.
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
