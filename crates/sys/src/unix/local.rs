//! Unix stream sockets.

use super::bound_path::BoundPath;
pub use mio::net::{UnixListener, UnixStream};
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::path::Path;

/// Makes the address of a path, or of an abstract name (Linux) if the first byte is 0.
///
/// # Errors
/// If the path is longer than the system allows.
pub fn unix_address(name: &[u8]) -> io::Result<SockAddr> {
    SockAddr::unix(OsStr::from_bytes(name))
}

/// Makes a socket that listens on a path or an abstract name. Returns it with what removes the path; for a
/// name there is nothing to remove. An existing path is reused if nobody answers on it.
///
/// # Errors
/// Those of the system: `EAGAIN` if another process is binding in the directory, unless that is ignored;
/// `EADDRINUSE` if the path exists and is not a dead socket.
pub fn listen_on_path(
    name: &[u8],
    mode: Option<u32>,
    backlog: i32,
    ignores_lock: bool,
) -> io::Result<(Socket, Option<BoundPath>)> {
    let address = unix_address(name)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    if name.first() == Some(&0) {
        socket.bind(&address)?;
        socket.listen(backlog)?;
        return Ok((socket, None));
    }
    let path = Path::new(OsStr::from_bytes(name));
    let bound = BoundPath::listen(path, &address, &socket, mode, backlog, ignores_lock)?;
    Ok((socket, Some(bound)))
}

/// Makes mio's stream from a non-blocking socket that is or will be connected.
///
/// # Errors
/// None on this platform.
pub fn unix_stream(socket: Socket) -> io::Result<UnixStream> {
    Ok(UnixStream::from_std(socket.into()))
}

/// Makes mio's listener from a non-blocking socket that listens.
///
/// # Errors
/// None on this platform.
pub fn unix_listener(socket: Socket) -> io::Result<UnixListener> {
    Ok(UnixListener::from_std(socket.into()))
}

/// Accepts the next connection.
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

/// The path or abstract name that our end of a connection is bound to; usually none.
#[must_use]
pub fn local_name(stream: &UnixStream) -> Option<Box<[u8]>> {
    stream.local_addr().ok().as_ref().and_then(name_of)
}

/// The path or abstract name that the peer's end of a connection is bound to.
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
