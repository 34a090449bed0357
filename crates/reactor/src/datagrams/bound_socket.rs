//! Binding: a datagram socket that is bound, and on no loop yet.

use super::handle::DatagramHandle;
use super::setting::DatagramSetting;
use millrace_sys::datagrams::{Extras, LARGEST, take_trains, tell_locals};
use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// How to bind.
#[derive(Debug, Clone)]
pub struct DatagramOptions {
    /// A number of the user's choice, which is in its `OPEN`.
    pub number: u32,
    /// Where to bind; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Take IPv4 on an IPv6 address too.
    pub dual_stack: bool,
    /// The only peer, if there is one: the kernel then drops what comes from others.
    pub peer: Option<SocketAddr>,
    /// Allow several sockets of this user on one port; the kernel spreads incoming datagrams over them.
    pub reuse_port: bool,
    /// Allow others to have the same address; all of them receive its multicasts.
    pub reuse_address: bool,
    /// Let the kernel hand over several datagrams of one sender in one piece, where it can.
    pub receive_offload: bool,
    /// Receive only what comes in through this interface.
    pub device: Option<String>,
    /// Socket options, in the order in which they are set.
    pub settings: Vec<DatagramSetting>,
    /// The largest datagram that is received whole; a longer one is cut.
    pub max: u32,
    /// `ASK` is answered once at most half of this many bytes wait to be sent.
    pub high_water: usize,
}

impl DatagramOptions {
    /// Makes the default options for an address: the socket has many peers, shares its address with nobody,
    /// lets the kernel hand over several datagrams in one piece, and receives datagrams of any length
    /// whole. `ASK` is answered at half of 1 MiB.
    #[must_use]
    pub fn new(number: u32, address: SocketAddr) -> Self {
        Self {
            number,
            address,
            dual_stack: false,
            peer: None,
            reuse_port: false,
            reuse_address: false,
            receive_offload: true,
            device: None,
            settings: Vec::new(),
            max: LARGEST as u32,
            high_water: 1 << 20,
        }
    }
}

/// A datagram socket that is bound.
#[derive(Debug)]
pub struct BoundDatagramSocket {
    pub(crate) socket: UdpSocket,
    pub(crate) local: SocketAddr,
    pub(crate) number: u32,
    pub(crate) max: u32,
    pub(crate) high_water: usize,
    pub(crate) is_connected: bool,
    /// What the kernel says with each datagram beside its sender.
    pub(crate) extras: Extras,
    pub(crate) handle: Arc<DatagramHandle>,
}

impl BoundDatagramSocket {
    /// Binds a socket.
    ///
    /// # Errors
    /// Those of the system, such as `EADDRINUSE`; `Unsupported` for `reuse_port` where the kernel does
    /// not spread what comes in.
    pub fn new(options: &DatagramOptions) -> io::Result<Self> {
        let address = options.address;
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        socket.set_nonblocking(true)?;
        millrace_sys::prepare_datagrams(&socket, options.reuse_address)?;
        if options.reuse_port {
            millrace_sys::share_port(&socket)?;
        }
        if let Some(interface) = &options.device {
            millrace_sys::bind_to_device(&socket, interface)?;
        }
        if address.is_ipv6() {
            socket.set_only_v6(!options.dual_stack)?;
        }
        // Before anything can come in: later, a train could not be told from a datagram, and nobody would know where an
        // earlier datagram was sent to.
        let trains = options.receive_offload && take_trains(&socket);
        // Any other socket has one address, and pays nothing.
        let is_wildcard = options.peer.is_none() && address.ip().to_canonical().is_unspecified();
        let locals = is_wildcard && tell_locals(&socket, address.is_ipv6());
        socket.bind(&address.into())?;
        for setting in &options.settings {
            setting.apply(&socket, address.is_ipv6())?;
        }
        if let Some(peer) = options.peer {
            socket.connect(&peer.into())?;
        } else {
            // If it fails, receiving skips those errors, and a flood of them holds it up for a moment.
            let _ = millrace_sys::ignore_closed_ports(&socket);
        }
        let socket = UdpSocket::from_std(socket.into());
        let local = socket.local_addr()?;
        Ok(Self {
            socket,
            local,
            number: options.number,
            max: options.max,
            high_water: options.high_water,
            is_connected: options.peer.is_some(),
            extras: Extras { trains, locals },
            handle: DatagramHandle::new(address.is_ipv6()),
        })
    }

    /// The address it is bound to, with the port that the system chose.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// The socket as its user's thread sees it.
    #[must_use]
    pub fn handle(&self) -> &Arc<DatagramHandle> {
        &self.handle
    }
}
