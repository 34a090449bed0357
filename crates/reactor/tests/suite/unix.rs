//! Unix stream sockets.

use crate::support::net::PATIENCE;
use crate::support::{Event, Key, Listen, Setup, User, What};
use millrace_reactor::{
    Address, BoundListener, Framing, ListenAddress, ListenOptions, Network, ProxyProtocol, Service,
};
use socket2::{Domain, SockAddr, Socket, Type};
use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

/// A folder that is removed with its test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("millrace-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn options(path: &[u8]) -> ListenOptions {
    let address = ListenAddress::Unix { path: path.into(), mode: None, ignores_lock: false };
    ListenOptions { address, ..Listen::new(Framing::Raw).options() }
}

fn service() -> Arc<Service> {
    let listen = Listen::new(Framing::Raw);
    Service::new(listen.balance, listen.max, listen.refuse)
}

fn bind(path: &Path) -> io::Result<BoundListener> {
    loop {
        match BoundListener::new(options(path.as_os_str().as_bytes()), &service()) {
            // Others bind in the directory, and not for long.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            result => return result,
        }
    }
}

fn listen(user: &mut User, path: &[u8]) {
    let bound = BoundListener::new(options(path), &service()).unwrap();
    assert_eq!(bound.local(), &Address::Unix(path.into()));
    user.group.listen(bound, None).unwrap();
    user.is_stirred = true;
}

fn opened(user: &mut User) -> (Key, [Vec<u8>; 2]) {
    user.find(|event: &Event| match &event.what {
        What::Open { paths, remote: None, .. } => Some((event.key, paths.clone())),
        _ => None,
    })
}

/// A stream from a socket that is bound to its own path or name.
fn connect_from(mine: &[u8], to: &[u8]) -> UnixStream {
    let address = |path: &[u8]| SockAddr::unix(OsStr::from_bytes(path)).unwrap();
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&address(mine)).unwrap();
    socket.connect(&address(to)).unwrap();
    socket.into()
}

fn echoes(user: &mut User, key: Key, mut peer: &UnixStream) {
    peer.write_all(b"ping").unwrap();
    assert_eq!(user.data(key), b"ping");
    user.write(key, b"pong");
    // An inline loop has to be driven until this is sent.
    user.settle(key);
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; 4];
    peer.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"pong");
}

#[test]
fn an_open_tells_the_paths_of_both_ends() {
    for setup in Setup::ALL {
        let folder = Folder::new();
        let path = folder.0.join("server");
        let path = path.as_os_str().as_bytes();
        let mut user = User::start(setup);
        listen(&mut user, path);
        let unnamed = UnixStream::connect(OsStr::from_bytes(path)).unwrap();
        let (key, paths) = opened(&mut user);
        assert_eq!(paths, [vec![], path.to_vec()]);
        echoes(&mut user, key, &unnamed);
        let mine = folder.0.join("client");
        let named = connect_from(mine.as_os_str().as_bytes(), path);
        let (key, paths) = opened(&mut user);
        assert_eq!(paths, [mine.as_os_str().as_bytes().to_vec(), path.to_vec()]);
        echoes(&mut user, key, &named);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn abstract_names_are_served_and_told() {
    for (at, setup) in Setup::ALL.into_iter().enumerate() {
        let name = |who| format!("\0millrace {} {at} {who}", std::process::id()).into_bytes();
        let mut user = User::start(setup);
        listen(&mut user, &name("server"));
        let peer = connect_from(&name("client"), &name("server"));
        let (key, paths) = opened(&mut user);
        assert_eq!(paths, [name("client"), name("server")]);
        echoes(&mut user, key, &peer);
        assert!(BoundListener::new(options(&name("server")), &service()).is_err());
    }
}

#[test]
fn a_socket_with_a_full_backlog_is_not_taken_for_dead() {
    let folder = Folder::new();
    let path = folder.0.join("busy");
    let address = SockAddr::unix(&path).unwrap();
    let busy = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    busy.bind(&address).unwrap();
    busy.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        let result = socket.connect(&address);
        waiting.push(socket);
        if result.is_err() {
            break;
        }
    }
    assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    assert!(path.exists());
}

#[test]
fn a_bound_path_is_removed_with_its_socket_unless_another_socket_has_it() {
    let folder = Folder::new();
    let path = folder.0.join("path");
    let bound = bind(&path).unwrap();
    assert!(path.exists());
    drop(bound);
    assert!(!path.exists());
    let bound = bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let heir = UnixListener::bind(&path).unwrap();
    drop(bound);
    assert!(path.exists());
    // The path is dead from here on, so it is reused.
    drop(heir);
    drop(bind(&path).unwrap());
    assert!(!path.exists());
}

#[test]
fn only_one_of_several_listeners_gets_a_dead_path_and_keeps_it() {
    const STARTERS: usize = 4;
    let folder = Folder::new();
    let path = folder.0.join("path");
    for _ in 0..200 {
        // The path is dead, because its socket is closed.
        drop(UnixListener::bind(&path).unwrap());
        let barrier = Barrier::new(STARTERS);
        let start = || {
            barrier.wait();
            bind(&path)
        };
        let results: Vec<_> = thread::scope(|scope| {
            let starters: Vec<_> = (0..STARTERS).map(|_| scope.spawn(start)).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        let (bound, refused): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
        assert_eq!(bound.len(), 1);
        for error in refused.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        }
        UnixStream::connect(&path).unwrap();
        drop(bound);
        assert!(!path.exists());
    }
}

#[test]
fn a_stopping_listener_does_not_remove_the_path_of_a_starting_one() {
    let folder = Folder::new();
    let path = folder.0.join("path");
    for _ in 0..200 {
        let old = bind(&path).unwrap();
        let barrier = Barrier::new(2);
        let new = thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                drop(old);
            });
            barrier.wait();
            loop {
                match bind(&path) {
                    Ok(bound) => break bound,
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::AddrInUse),
                }
            }
        });
        UnixStream::connect(&path).unwrap();
        drop(new);
    }
}

#[test]
fn a_locked_directory_is_told_at_once_and_does_not_prevent_listening_if_it_is_ignored() {
    let folder = Folder::new();
    let path = folder.0.join("path");
    drop(UnixListener::bind(&path).unwrap());
    let directory = std::fs::File::open(&folder.0).unwrap();
    directory.try_lock().unwrap();
    let name = path.as_os_str().as_bytes();
    let error = BoundListener::new(options(name), &service()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(error.raw_os_error().is_some());
    let address = ListenAddress::Unix { path: name.into(), mode: None, ignores_lock: true };
    let bound = BoundListener::new(ListenOptions { address, ..options(name) }, &service()).unwrap();
    UnixStream::connect(&path).unwrap();
    drop(bound);
    assert!(!path.exists());
}

#[test]
fn whoever_connects_to_a_unix_socket_is_trusted_with_a_header_if_that_is_said() {
    let header = b"PROXY TCP4 192.0.2.7 198.51.100.9 4660 443\r\n";
    for (setup, trusts_unix) in
        Setup::ALL.into_iter().flat_map(|setup| [(setup, true), (setup, false)])
    {
        let folder = Folder::new();
        let path = folder.0.join("socket");
        let mut user = User::start(setup);
        let trusted = vec![Network::new([0, 0, 0, 0].into(), 0).unwrap()];
        let proxy = Some(ProxyProtocol { trusted, trusts_unix, timeout: PATIENCE });
        let options = ListenOptions { proxy, ..options(path.as_os_str().as_bytes()) };
        let bound = BoundListener::new(options, &service()).unwrap();
        user.group.listen(bound, None).unwrap();
        user.is_stirred = true;
        let mut peer = UnixStream::connect(&path).unwrap();
        peer.write_all(&[&header[..], b"data"].concat()).unwrap();
        let (key, remote) = user.find(|event: &Event| match event.what {
            What::Open { remote, .. } => Some((event.key, remote)),
            _ => None,
        });
        let expected = trusts_unix.then(|| "192.0.2.7:4660".parse().unwrap());
        assert_eq!(remote, expected);
        let received = user.data(key);
        assert_eq!(
            received,
            if trusts_unix { b"data".to_vec() } else { [header, &b"data"[..]].concat() }
        );
    }
}
