//! Systems without io_uring.

use std::io;
use std::time::Duration;

use super::Done;
use crate::stream::Stream;

/// There are no values of this type.
#[derive(Debug)]
pub enum Uring {}

/// There are no values of this type.
#[derive(Debug)]
pub enum Reply {}

impl Uring {
    /// Always fails.
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Receives from `stream`.
    pub fn watch(&mut self, _index: usize, _stream: &Stream) -> io::Result<()> {
        match *self {}
    }

    /// Sends `bytes`.
    pub fn send(&mut self, _index: usize, _bytes: &'static [u8]) -> io::Result<()> {
        match *self {}
    }

    /// Waits.
    pub fn wait(&mut self, _timeout: Option<Duration>) -> io::Result<()> {
        match *self {}
    }

    /// What was done.
    pub fn next(&mut self) -> io::Result<Option<(usize, Done)>> {
        match *self {}
    }

    /// The bytes of `reply`.
    pub fn bytes(&self, reply: &Reply) -> &[u8] {
        match *reply {}
    }

    /// Ends with `reply`.
    pub fn give_back(&mut self, reply: Reply) {
        match reply {}
    }
}
