//! What there is to tell about no socket in particular: answers, failed connects, closed listeners.

use millrace_ring::record::{kind, news};
use millrace_sys::Duplicate;
use std::io;

/// A notice about no socket: see `news` in the record table.
#[derive(Debug)]
pub(crate) struct LoopNotice {
    pub(crate) kind: u32,
    pub(crate) number: u32,
    pub(crate) errno: i32,
    pub(crate) value: u32,
    /// The descriptor with the number in `value`; closed if this notice is never told.
    pub(crate) duplicate: Option<Duplicate>,
}

impl LoopNotice {
    pub(crate) fn of(kind: u32, number: u32) -> Self {
        Self { kind, number, errno: 0, value: 0, duplicate: None }
    }

    pub(crate) fn failed(kind: u32, number: u32, error: &io::Error) -> Self {
        Self { errno: error.raw_os_error().unwrap_or(0), ..Self::of(kind, number) }
    }

    /// The answer to a question: a value, or why there is none.
    pub(crate) fn answer(ticket: u32, result: io::Result<u32>) -> Self {
        let notice = Self::of(kind::ANSWER, ticket);
        match result {
            Ok(value) => Self { value, ..notice },
            Err(error) => Self { errno: error.raw_os_error().unwrap_or(-1), ..notice },
        }
    }

    /// The answer to a request for a duplicate.
    pub(crate) fn duplicated(ticket: u32, result: io::Result<Duplicate>) -> Self {
        match result {
            Ok(duplicate) => {
                let value = duplicate.number();
                Self { duplicate: Some(duplicate), ..Self::answer(ticket, Ok(value)) }
            }
            Err(error) => Self::answer(ticket, Err(error)),
        }
    }

    /// The payload of its record.
    pub(crate) fn payload(&self) -> [u8; news::NEWS_SIZE as usize] {
        let mut payload = [0; news::NEWS_SIZE as usize];
        let mut put = |at: u32, bytes: [u8; 4]| {
            payload[at as usize..at as usize + 4].copy_from_slice(&bytes);
        };
        put(news::NUMBER, self.number.to_ne_bytes());
        put(news::ERRNO, self.errno.to_ne_bytes());
        put(news::VALUE, self.value.to_ne_bytes());
        payload
    }
}
