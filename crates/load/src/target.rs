//! The address of the server under test, and how to connect to it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use crate::stream::Stream;

/// How long a connect from a bound address may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the server under test listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A TCP address.
    Tcp(SocketAddr),
    /// The path of a Unix stream socket.
    Unix(PathBuf),
}

impl Target {
    /// Whether connections to it can be bound to several addresses of 127.0.0.0/8.
    pub fn is_ipv4_loopback(&self) -> bool {
        matches!(self, Self::Tcp(SocketAddr::V4(address)) if address.ip().is_loopback())
    }

    /// Starts a connection, from `source` if one is given. While it is not established, a write would block.
    pub fn connect(&self, source: Option<Ipv4Addr>) -> io::Result<Stream> {
        match self {
            Self::Tcp(address) => {
                let stream = match source {
                    None => TcpStream::connect(*address)?,
                    Some(source) => connect_from(source, *address)?,
                };
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(path) => connect_unix(path),
        }
    }
}

fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect_timeout(&address.into(), CONNECT_TIMEOUT)?;
    socket.set_nonblocking(true)?;
    Ok(TcpStream::from_std(socket.into()))
}

fn connect_unix(path: &Path) -> io::Result<Stream> {
    let address = millrace_sys::unix_address(path.as_os_str().as_encoded_bytes())?;
    let socket = millrace_sys::stream_socket(Domain::UNIX, None)?;
    socket.connect(&address)?;
    millrace_sys::unix_stream(socket).map(Stream::Unix)
}

impl FromStr for Target {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("unix:") {
            Some("") => Err("the path is missing"),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| "neither ip:port nor unix:/path"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_ip_and_port_or_a_path() {
        assert_eq!("[::1]:80".parse(), Ok(Target::Tcp(([0, 0, 0, 0, 0, 0, 0, 1], 80).into())));
        assert_eq!("unix:/tmp/a:1".parse(), Ok(Target::Unix("/tmp/a:1".into())));
        assert!("unix:".parse::<Target>().is_err());
        assert!("localhost".parse::<Target>().is_err());
    }

    #[test]
    fn only_ipv4_loopback_has_several_source_addresses() {
        let is_spreadable = |text: &str| text.parse::<Target>().is_ok_and(|t| t.is_ipv4_loopback());
        assert!(is_spreadable("127.0.0.1:9"));
        assert!(!is_spreadable("[::1]:9"));
        assert!(!is_spreadable("unix:/tmp/a"));
    }
}
