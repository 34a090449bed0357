//! The path of a listening Unix socket: taken over from the dead only, and removed at the end.
//!
//! A path is dead if nobody answers on it. So is one for a moment that is bound and not listened on
//! yet, and somebody may take a dead path over between our look and our removal of it. Therefore all
//! of us who bind in one directory do it one after the other, with a lock of the directory.

use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How long we wait for the lock of a directory. One of us has it for less than that by far; whoever
/// has it longer is none of us, or stopped in the middle, and must not keep us from starting.
const PATIENCE: (u32, Duration) = (250, Duration::from_millis(1));

/// A path that this process bound. Removed when dropped, if it is still the same file. To be dropped
/// before the socket: as long as that is open it answers, and no other file can get its file's number.
#[derive(Debug)]
pub struct BoundPath {
    path: PathBuf,
    identity: (u64, u64),
    is_left: bool,
}

impl BoundPath {
    /// Binds a socket there and listens.
    pub(super) fn listen(
        path: &Path,
        address: &SockAddr,
        socket: &Socket,
        mode: Option<u32>,
        backlog: i32,
    ) -> io::Result<Self> {
        let lock = lock_directory(path);
        if let Some(dead) = find_dead(path, address)? {
            remove(path, dead)?;
        }
        socket.bind(address)?;
        let bound = Self::new(path)?;
        if let Some(mode) = mode {
            // Before it listens: nobody can have connected with other permissions.
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        socket.listen(backlog)?;
        // Before that it looked dead to others.
        drop(lock);
        Ok(bound)
    }

    fn new(path: &Path) -> io::Result<Self> {
        Ok(Self { path: std::path::absolute(path)?, identity: identity(path)?, is_left: false })
    }

    /// Others may listen on it from now on: it is not removed.
    pub fn leave(&mut self) {
        self.is_left = true;
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        // Somebody else may have bound it since: that one is not ours. None of us takes it over in
        // between, because it answers.
        if !self.is_left {
            // If it cannot be removed, the next who binds it finds it dead.
            let _ = remove(&self.path, self.identity);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes a path if it is that file.
fn remove(path: &Path, wanted: (u64, u64)) -> io::Result<()> {
    if identity(path)? == wanted { fs::remove_file(path) } else { Ok(()) }
}

/// The lock of the directory of a path, until it is dropped; none where there can be none: a directory
/// that may not be read, a file system without locks, somebody else who keeps it.
fn lock_directory(path: &Path) -> Option<File> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let file = File::open(directory).ok()?;
    for _ in 0..PATIENCE.0 {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) => thread::sleep(PATIENCE.1),
            Err(TryLockError::Error(_)) => return None,
        }
    }
    None
}

/// The socket at a path, if nobody answers on it. Anything else there is not ours to remove: binding
/// it says `EADDRINUSE`.
fn find_dead(path: &Path, address: &SockAddr) -> io::Result<Option<(u64, u64)>> {
    let found = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => (metadata.dev(), metadata.ino()),
        _ => return Ok(None),
    };
    let probe = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    // A live socket whose backlog is full would block.
    probe.set_nonblocking(true)?;
    let result = probe.connect(address);
    let is_dead = result.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    Ok(is_dead.then_some(found))
}
