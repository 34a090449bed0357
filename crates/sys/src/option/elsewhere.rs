//! Systems for which only the options that all systems have are known.

use super::SocketOption;
use socket2::Socket;
use std::io;

pub(super) fn is_supported(option: SocketOption) -> bool {
    use SocketOption as O;
    matches!(option, O::NoDelay | O::KeepAlive | O::Reset | O::ReceiveBuffer | O::SendBuffer)
}

pub(super) fn set(_: SocketOption, _: &Socket, _: u32) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn get(_: SocketOption, _: &Socket) -> io::Result<u32> {
    Err(io::ErrorKind::Unsupported.into())
}
