//! Systems for which it is not known how to do this.

use super::SourceGroup;
use socket2::Socket;
use std::io;

pub(super) const HAS_SOURCES: bool = false;

pub(super) fn join(_: &Socket, _: &SourceGroup) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn leave(_: &Socket, _: &SourceGroup) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
