//! Unix stream sockets.

use super::bound_path::BoundPath;
pub use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// The address of a path; where the first byte is 0, of an abstract name of Linux.
///
/// # Errors
/// If it is longer than the system allows.
pub fn unix_address(name: &[u8]) -> io::Result<SockAddr> {
    SockAddr::unix(OsStr::from_bytes(name))
}

/// A socket that listens on a path or an abstract name, and what removes the path; a name leaves
/// nothing to remove. A path is taken over if nobody answers on it.
///
/// # Errors
/// Those of the system: `EADDRINUSE` if the path is anything but a dead socket.
pub fn listen_on_path(
    name: &[u8],
    mode: Option<u32>,
    backlog: i32,
) -> io::Result<(Socket, Option<BoundPath>)> {
    let address = unix_address(name)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    if name.first() == Some(&0) {
        socket.bind(&address)?;
        socket.listen(backlog)?;
        return Ok((socket, None));
    }
    let path = Path::new(OsStr::from_bytes(name));
    let bound = BoundPath::listen(path, &address, &socket, mode, backlog)?;
    Ok((socket, Some(bound)))
}

/// As mio has it, of a socket that is or will be connected and does not block.
///
/// # Errors
/// None on this platform.
pub fn unix_stream(socket: Socket) -> io::Result<UnixStream> {
    Ok(UnixStream::from_std(socket.into()))
}

/// As mio has it, of a socket that listens and does not block.
///
/// # Errors
/// None on this platform.
pub fn unix_listener(socket: Socket) -> io::Result<UnixListener> {
    Ok(UnixListener::from_std(socket.into()))
}

/// The next connection.
///
/// # Errors
/// Those of `accept(2)`.
pub fn accept_unix(listener: &UnixListener) -> io::Result<UnixStream> {
    listener.accept().map(|(stream, _)| stream)
}

/// The path or abstract name that a listener is bound to, as [`unix_address`] takes it.
#[must_use]
pub fn listener_name(listener: &UnixListener) -> Option<Box<[u8]>> {
    listener.local_addr().ok().as_ref().and_then(name_of)
}

/// The path or abstract name that a connection's own end is bound to; mostly none.
#[must_use]
pub fn local_name(stream: &UnixStream) -> Option<Box<[u8]>> {
    stream.local_addr().ok().as_ref().and_then(name_of)
}

/// The path or abstract name that a connection's other end is bound to.
#[must_use]
pub fn peer_name(stream: &UnixStream) -> Option<Box<[u8]>> {
    stream.peer_addr().ok().as_ref().and_then(name_of)
}

fn name_of(address: &SocketAddr) -> Option<Box<[u8]>> {
    #[cfg(target_os = "linux")]
    if let Some(name) = std::os::linux::net::SocketAddrExt::as_abstract_name(address) {
        return Some([&[0], name].concat().into());
    }
    address.as_pathname().map(|path| path.as_os_str().as_bytes().into())
}
