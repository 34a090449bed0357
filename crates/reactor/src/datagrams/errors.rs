//! Errors that a datagram socket survives: counted by kind until they are told.

use crate::inbound::Inbound;
use millrace_ring::record::{kind, trouble};

/// Kinds of errors that are told at a time; others are only counted.
const KINDS: usize = 8;

/// One kind of error, and how often it came since it was told last.
#[derive(Debug)]
struct ErrorCount {
    errno: i32,
    is_receiving: bool,
    count: u32,
}

/// Errors that are not told yet.
#[derive(Debug, Default)]
pub(super) struct ErrorLog(Vec<ErrorCount>);

impl ErrorLog {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn note(&mut self, errno: i32, is_receiving: bool) {
        let is_same =
            |each: &&mut ErrorCount| each.errno == errno && each.is_receiving == is_receiving;
        if let Some(same) = self.0.iter_mut().find(is_same) {
            same.count = same.count.saturating_add(1);
        } else if self.0.len() < KINDS {
            self.0.push(ErrorCount { errno, is_receiving, count: 1 });
        }
    }

    /// Tells as much as there is room for; false if something is left.
    pub(super) fn tell(&mut self, slot: u32, generation: u32, inbound: &mut Inbound) -> bool {
        while let Some(ErrorCount { errno, is_receiving, count }) = self.0.last() {
            let mut payload = [0; trouble::TROUBLE_SIZE as usize];
            let mut put = |at: u32, bytes: [u8; 4]| {
                payload[at as usize..at as usize + 4].copy_from_slice(&bytes);
            };
            put(trouble::ERRNO, errno.to_ne_bytes());
            put(trouble::COUNT, count.to_ne_bytes());
            put(trouble::RECEIVING, u32::from(*is_receiving).to_ne_bytes());
            if !inbound.control(slot, generation, kind::TROUBLE, &payload) {
                return false;
            }
            self.0.pop();
        }
        true
    }
}
