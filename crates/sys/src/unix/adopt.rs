//! Listening sockets that this process inherits from another.

use super::number;
use socket2::{SockRef, Socket, Type};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// A descriptor that can be taken over has a lower number than this.
const MOST: u32 = 1 << 16;

/// One bit for each descriptor that is taken over, because only one owner may close it.
static TAKEN: [AtomicU64; MOST as usize / 64] = [const { AtomicU64::new(0) }; MOST as usize / 64];

/// A descriptor that nobody else in this process can take over until this is dropped. Drop it after the
/// socket: else somebody might take over a number that is about to be closed.
#[derive(Debug)]
pub struct Claim(Option<u32>);

impl Claim {
    /// Claims the descriptor of a listening socket of our own. Nothing is claimed if the number is too high to
    /// be taken over.
    #[must_use]
    pub fn of(socket: &Socket) -> Self {
        let descriptor = socket.as_raw_fd().cast_unsigned();
        Self((descriptor < MOST).then_some(descriptor).filter(|descriptor| take(*descriptor)))
    }

    fn new(descriptor: u32) -> io::Result<Self> {
        if !take(descriptor) {
            return Err(io::Error::from_raw_os_error(libc::EEXIST));
        }
        Ok(Self(Some(descriptor)))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(descriptor) = self.0 {
            // ORDER: pairs with `take`.
            word(descriptor).fetch_and(!bit(descriptor), Ordering::AcqRel);
        }
    }
}

/// Marks a descriptor as taken; false if it was already.
fn take(descriptor: u32) -> bool {
    // ORDER: AcqRel, so that taking over a number happens after its last owner closed it.
    word(descriptor).fetch_or(bit(descriptor), Ordering::AcqRel) & bit(descriptor) == 0
}

fn word(descriptor: u32) -> &'static AtomicU64 {
    &TAKEN[descriptor as usize / 64]
}

fn bit(descriptor: u32) -> u64 {
    1 << (descriptor % 64)
}

/// Takes over a listening stream socket, TCP or Unix. The returned socket owns the descriptor. If `prepare`
/// fails, the descriptor stays open and belongs to its owner.
///
/// # Errors
/// `EBADF` if there is no such descriptor, `ENOTSOCK` or `EINVAL` if it is not a listening stream socket,
/// `EEXIST` if it was taken over before or is one of our own, and the errors of `prepare`.
pub fn adopt_listener(
    descriptor: u32,
    prepare: impl FnOnce(&Socket) -> io::Result<()>,
) -> io::Result<(Socket, Claim)> {
    let raw = match i32::try_from(descriptor) {
        Ok(raw) if descriptor < MOST => raw,
        _ => return Err(io::Error::from_raw_os_error(libc::EBADF)),
    };
    let claim = Claim::new(descriptor)?;
    // SAFETY: fcntl(2) with F_GETFD takes any number, and reports whether it is open.
    if unsafe { libc::fcntl(raw, libc::F_GETFD) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: it is open, and its owner has left it to us.
    let borrowed = unsafe { BorrowedFd::borrow_raw(raw) };
    let socket = SockRef::from(&borrowed);
    check(&socket)?;
    // Child processes must not inherit it.
    socket.set_cloexec(true)?;
    prepare(&socket)?;
    // SAFETY: it is open, its owner has left it to us, and the claim says that we are the only one.
    Ok((Socket::from(unsafe { OwnedFd::from_raw_fd(raw) }), claim))
}

fn check(socket: &Socket) -> io::Result<()> {
    let invalid = || io::Error::from_raw_os_error(libc::EINVAL);
    if socket.r#type()? != Type::STREAM {
        return Err(invalid());
    }
    let address = socket.local_addr()?;
    if !(address.is_ipv4() || address.is_ipv6() || address.is_unix()) {
        return Err(invalid());
    }
    let listens = number(socket, libc::SOL_SOCKET, libc::SO_ACCEPTCONN)? != 0;
    if listens { Ok(()) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::{Claim, adopt_listener};
    use socket2::SockRef;
    use std::io;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::{AsRawFd, IntoRawFd};

    fn errno(descriptor: u32) -> Option<i32> {
        adopt_listener(descriptor, |_| Ok(())).unwrap_err().raw_os_error()
    }

    #[test]
    fn a_listener_is_taken_over_once_until_it_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let descriptor = listener.into_raw_fd() as u32;
        let (socket, claim) = adopt_listener(descriptor, |_| Ok(())).unwrap();
        assert_eq!(socket.local_addr().unwrap().as_socket(), Some(address));
        assert_eq!(errno(descriptor), Some(libc::EEXIST));
        drop(socket);
        drop(claim);
        assert!(TcpStream::connect(address).is_err());
    }

    #[test]
    fn a_listener_that_cannot_be_prepared_still_belongs_to_its_owner() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let descriptor = listener.as_raw_fd() as u32;
        let refused = adopt_listener(descriptor, |_| Err(io::ErrorKind::PermissionDenied.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        assert!(TcpStream::connect(listener.local_addr().unwrap()).is_ok());
        let (socket, _claim) = adopt_listener(listener.into_raw_fd() as u32, |_| Ok(())).unwrap();
        assert!(socket.local_addr().is_ok());
    }

    #[test]
    fn a_listener_of_our_own_cannot_be_taken_over() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let claim = Claim::of(&SockRef::from(&listener));
        assert_eq!(errno(listener.as_raw_fd() as u32), Some(libc::EEXIST));
        drop(claim);
        let descriptor = listener.into_raw_fd() as u32;
        assert!(adopt_listener(descriptor, |_| Ok(())).is_ok());
    }

    #[test]
    fn a_descriptor_that_is_not_a_listening_stream_socket_is_left_alone() {
        let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(errno(datagrams.as_raw_fd() as u32), Some(libc::EINVAL));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert_eq!(errno(stream.as_raw_fd() as u32), Some(libc::EINVAL));
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(errno(file.as_raw_fd() as u32), Some(libc::ENOTSOCK));
        assert_eq!(errno(65_535), Some(libc::EBADF));
        assert_eq!(errno(u32::MAX), Some(libc::EBADF));
        // A refused descriptor can be tried again.
        assert_eq!(errno(file.as_raw_fd() as u32), Some(libc::ENOTSOCK));
        assert!(datagrams.local_addr().is_ok());
    }
}
