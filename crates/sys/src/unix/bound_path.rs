//! The path of a listening Unix socket. An existing path is reused only if no process listens on it any more;
//! the path is removed at the end.
//!
//! A path is dead if nobody answers on it. For a moment, a path that is bound and not listened on yet looks
//! dead, too, and another process may reuse a dead path between our check and our removal. Therefore millrace
//! processes that bind in one directory take turns, with a lock on the directory.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A path that this process bound. Removed when dropped, if it is still the same file. Drop it before the
/// socket: while the socket is open it answers, and no other file can get its inode number.
#[derive(Debug)]
pub struct BoundPath {
    path: PathBuf,
    identity: (u64, u64),
    is_left: bool,
}

impl BoundPath {
    /// Binds a socket to a path and listens.
    pub(super) fn listen(
        path: &Path,
        address: &SockAddr,
        socket: &Socket,
        mode: Option<u32>,
        backlog: i32,
        ignores_lock: bool,
    ) -> io::Result<Self> {
        let lock = if ignores_lock { None } else { lock_directory(path)? };
        if let Some(dead) = find_dead(path, address)? {
            remove(path, dead)?;
        }
        socket.bind(address)?;
        let bound = Self::new(path)?;
        if let Some(mode) = mode {
            // Before it listens, so that nobody can connect with other permissions.
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        socket.listen(backlog)?;
        // Until it listened, it looked dead to others.
        drop(lock);
        Ok(bound)
    }

    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: std::path::absolute(path)?, identity: identity(path)?, is_left: false })
    }

    /// Keeps the path: others may listen on it from now on.
    pub fn leave(&mut self) {
        self.is_left = true;
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        // If another process has bound the path since, that file is not ours. No millrace process
        // reuses it in between, because it answers.
        if !self.is_left {
            // If it cannot be removed, the next process that binds it finds it dead.
            let _ = remove(&self.path, self.identity);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes a path if it is still that file.
fn remove(path: &Path, wanted: (u64, u64)) -> io::Result<()> {
    if identity(path)? == wanted { fs::remove_file(path) } else { Ok(()) }
}

/// Locks the directory of a path, until the lock is dropped. `None` if that is impossible: the directory may
/// not be read, or the file system has no locks. Does not wait: `EAGAIN` if another process holds the lock.
fn lock_directory(path: &Path) -> io::Result<Option<File>> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let Ok(file) = File::open(directory) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(io::Error::from_raw_os_error(libc::EAGAIN)),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// Finds the socket at a path on which nobody answers. Anything else at the path must not be removed: binding
/// then fails with `EADDRINUSE`.
fn find_dead(path: &Path, address: &SockAddr) -> io::Result<Option<(u64, u64)>> {
    let found = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => (metadata.dev(), metadata.ino()),
        _ => return Ok(None),
    };
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // Connecting to a live socket with a full backlog would block.
    probe.set_nonblocking(true)?;
    let result = probe.connect(address);
    let is_dead = result.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    Ok(is_dead.then_some(found))
}
