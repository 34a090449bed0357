//! Listening, and the peers' side: plain sockets of the standard library.

use millrace_reactor::{
    Balance, ConnectionOptions, DialOptions, DialTarget, Framing, ListenAddress, ListenOptions,
    ProxyProtocol, Service, SocketOptions, Timeouts,
};
use socket2::SockRef;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// How to listen: the defaults, and what a test changes.
#[derive(Debug, Clone)]
pub struct Listen {
    pub id: u32,
    pub address: SocketAddr,
    pub framing: Framing,
    pub connection: ConnectionOptions,
    pub proxy: Option<ProxyProtocol>,
    pub balance: Balance,
    /// Connections at most; 0 is no limit.
    pub max: usize,
    pub refuse: bool,
    /// Others may listen on the same port.
    pub reuse_port: bool,
}

impl Listen {
    pub fn new(framing: Framing) -> Self {
        Self {
            id: 7,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            framing,
            connection: ConnectionOptions {
                high_water: 1 << 20,
                auto_pause: true,
                linger: Duration::from_secs(30),
                timeouts: Timeouts::default(),
                socket: SocketOptions::default(),
            },
            proxy: None,
            balance: Balance::RoundRobin,
            max: 0,
            refuse: false,
            reuse_port: false,
        }
    }

    /// A server for this listener.
    pub fn service(&self) -> Arc<Service> {
        Service::new(self.balance, self.max, self.refuse)
    }

    pub fn options(&self) -> ListenOptions {
        ListenOptions {
            id: self.id,
            address: ListenAddress::Tcp {
                address: self.address,
                dual_stack: false,
                reuse_port: self.reuse_port,
                device: None,
            },
            backlog: 4096,
            framing: self.framing.clone(),
            connection: self.connection.clone(),
            proxy: self.proxy.clone(),
        }
    }
}

/// A dial, with the same defaults.
pub fn dial(id: u32, target: DialTarget) -> DialOptions {
    let Listen { framing, connection, .. } = Listen::new(Framing::Raw);
    DialOptions { id, target, paused: false, framing, connection }
}

/// A TCP peer to connect to.
pub fn tcp(address: SocketAddr) -> DialTarget {
    DialTarget::Tcp { address, local: None, device: None }
}

/// No test waits for ever: a peer that receives nothing fails after this time.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A peer with an address of its own, 127.0.0.`last`.
pub fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// A TCP address with a full backlog: the kernel silently drops further connections.
#[cfg(target_os = "linux")]
pub struct Full {
    pub address: SocketAddr,
    _listener: socket2::Socket,
    _filling: TcpStream,
}

#[cfg(target_os = "linux")]
pub fn full() -> Full {
    let listener =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    Full { address, _listener: listener, _filling: connect(address) }
}

/// Reads everything until the other side's FIN.
pub fn read_all(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

pub fn read_exactly(mut stream: &TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Writes bytes, and sends FIN right after them.
pub fn write_and_finish(mut stream: &TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
}

/// Closes a connection with RST.
pub fn reset(stream: TcpStream) {
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}
