//! The path of a listening Unix socket: taken over from the dead only, and removed at the end.

use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A path that this process bound. Removed when dropped, if it is still the same file.
#[derive(Debug)]
pub(crate) struct UnixPath {
    path: PathBuf,
    identity: (u64, u64),
    is_left: bool,
}

impl UnixPath {
    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: std::path::absolute(path)?, identity: identity(path)?, is_left: false })
    }

    /// Others may listen on it from now on: it is not removed.
    pub(crate) fn leave(&mut self) {
        self.is_left = true;
    }
}

impl Drop for UnixPath {
    fn drop(&mut self) {
        // Somebody else may have bound it since: that one is not ours.
        if !self.is_left && identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // If it cannot be removed, the next who binds it finds it dead.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// A socket that is bound to a path, and what removes the path; an abstract name (its first byte is
/// 0) leaves nothing to remove.
pub(crate) fn bind(name: &[u8], mode: Option<u32>) -> io::Result<(Socket, Option<UnixPath>)> {
    let path = Path::new(OsStr::from_bytes(name));
    let address = SockAddr::unix(path)?;
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    if name.first() == Some(&0) {
        socket.bind(&address)?;
        return Ok((socket, None));
    }
    if is_dead(path, &address)? {
        fs::remove_file(path)?;
    }
    socket.bind(&address)?;
    let bound = UnixPath::new(path)?;
    if let Some(mode) = mode {
        // Before it listens: nobody can have connected with other permissions.
        fs::set_permissions(path, Permissions::from_mode(mode))?;
    }
    Ok((socket, Some(bound)))
}

/// Whether there is a socket that nobody answers on. Anything else at that path is not ours to
/// remove: binding it says `EADDRINUSE`.
fn is_dead(path: &Path, address: &SockAddr) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {}
        _ => return Ok(false),
    }
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A live socket whose backlog is full would block.
    probe.set_nonblocking(true)?;
    let result = probe.connect(address);
    Ok(result.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused))
}
