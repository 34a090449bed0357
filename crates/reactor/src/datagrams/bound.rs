//! Datagram sockets that are bound, and on no loop yet.

use super::setting::Setting;
use super::share::DatagramShare;
use millrace_sys::datagrams::LARGEST;
use mio::net::UdpSocket;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// How to bind.
#[derive(Debug, Clone)]
pub struct DatagramOptions {
    /// A number of the user's choice, which stands in its `OPEN`.
    pub number: u32,
    /// Where; port 0 takes any.
    pub address: SocketAddr,
    /// Take IPv4 on an IPv6 address too.
    pub dual_stack: bool,
    /// The one peer, if there is but one: the kernel then drops what comes from others.
    pub peer: Option<SocketAddr>,
    /// Several sockets of this user on one port, among which the kernel spreads what comes in.
    pub reuse_port: bool,
    /// Others may have the same address, and all of them receive its multicasts.
    pub reuse_address: bool,
    /// Let the kernel hand over several datagrams of one sender in one piece, where it can.
    pub receive_offload: bool,
    /// The interface by which alone datagrams come in.
    pub device: Option<String>,
    /// Options, in this order.
    pub settings: Vec<Setting>,
    /// The largest datagram that is received whole; what is longer is cut.
    pub max: u32,
    /// At half of so many bytes that wait to be sent, `ASK` is answered.
    pub high_water: usize,
}

impl DatagramOptions {
    /// How to bind there, where nothing else is asked for: the socket has many peers, shares its
    /// address with nobody, lets the kernel hand over several datagrams in one piece, and receives
    /// whole what is as long as a datagram can be. `ASK` is answered at half of 1 MiB.
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
pub struct BoundDatagrams {
    pub(crate) socket: UdpSocket,
    pub(crate) local: SocketAddr,
    pub(crate) number: u32,
    pub(crate) max: u32,
    pub(crate) high_water: usize,
    pub(crate) is_connected: bool,
    /// Several datagrams of one sender may come in one piece.
    pub(crate) takes_trains: bool,
    pub(crate) share: Arc<DatagramShare>,
}

impl BoundDatagrams {
    /// Binds.
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
        // Before anything can come in: what came as a train cannot be told from a datagram later.
        let takes_trains = options.receive_offload && millrace_sys::datagrams::take_trains(&socket);
        socket.bind(&address.into())?;
        for setting in &options.settings {
            setting.apply(&socket, address.is_ipv6())?;
        }
        if let Some(peer) = options.peer {
            socket.connect(&peer.into())?;
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
            takes_trains,
            share: DatagramShare::new(address.is_ipv6()),
        })
    }

    /// The address it is bound to, with the port that the system chose.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// What its user sees and sets.
    #[must_use]
    pub fn share(&self) -> &Arc<DatagramShare> {
        &self.share
    }
}
