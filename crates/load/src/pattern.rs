//! The bytes that are sent, which are also the bytes that must come back.

use std::str::FromStr;

/// The fewest bytes in a period: enough that two connections rarely send the same, few enough for the L2 cache.
const PERIOD_BYTES: usize = 64 * 1024;
/// The fewest messages in a period, however large they are.
const PERIOD_MESSAGES: usize = 7;
/// The most bytes passed to one write.
const WRITE_BYTES: usize = 256 * 1024;

/// How the server under test finds the end of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// It does not: it sends back the bytes that it receives.
    Raw,
    /// By a 4-byte big-endian length before each body.
    Length,
}

impl Framing {
    /// The name on the command line and in the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Length => "length",
        }
    }
}

impl FromStr for Framing {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "raw" => Ok(Self::Raw),
            "length" => Ok(Self::Length),
            _ => Err("neither raw nor length"),
        }
    }
}

/// An endless stream of framed messages that repeats after a period. Every connection starts at a different
/// message, so a lost, shifted or swapped byte differs from what is expected.
#[derive(Debug)]
pub struct Pattern {
    /// One period and the beginning of the next, so that a batch is one slice.
    bytes: Vec<u8>,
    period: usize,
    message: usize,
}

impl Pattern {
    /// Messages of `size` bytes, of which `depth` are sent at once.
    pub fn new(framing: Framing, size: usize, depth: usize) -> Self {
        let header = match framing {
            Framing::Raw => Vec::new(),
            Framing::Length => {
                u32::try_from(size).expect("sizes are limited to far less").to_be_bytes().to_vec()
            }
        };
        let message = header.len() + size;
        let messages = PERIOD_MESSAGES.max(PERIOD_BYTES.div_ceil(message));
        let period = messages * message;
        let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
        let mut bytes = Vec::with_capacity(period + WRITE_BYTES);
        for _ in 0..messages {
            bytes.extend_from_slice(&header);
            bytes.extend((0..size).map(|_| noise.byte()));
        }
        let overlap = message.saturating_mul(depth).min(WRITE_BYTES);
        for index in 0..overlap {
            bytes.push(bytes[index]);
        }
        Self { bytes, period, message }
    }

    /// The bytes of one message, header included.
    pub fn message_bytes(&self) -> u64 {
        self.message as u64
    }

    /// Where the stream of a connection starts.
    pub fn start(&self, connection: usize) -> u64 {
        // Neighbours start far apart, so that one stream is not the other one message later.
        let messages = self.period / self.message;
        (connection.wrapping_mul(messages * 5 / 8 + 1) % messages * self.message) as u64
    }

    /// The bytes at `position`, at most `limit` and at least one batch of them.
    pub fn slice(&self, position: u64, limit: u64) -> &[u8] {
        let rest = &self.bytes[self.offset(position)..];
        let length = usize::try_from(limit).map_or(WRITE_BYTES, |limit| limit.min(WRITE_BYTES));
        &rest[..length.min(rest.len())]
    }

    /// Where `received`, which came back for `position`, first differs from what was sent.
    pub fn first_difference(&self, position: u64, received: &[u8]) -> Option<usize> {
        let mut checked = 0;
        while checked < received.len() {
            let rest = &self.bytes[self.offset(position + checked as u64)..];
            let part = &received[checked..received.len().min(checked + rest.len())];
            if part != &rest[..part.len()] {
                let same = part.iter().zip(rest).take_while(|(a, b)| a == b).count();
                return Some(checked + same);
            }
            checked += part.len();
        }
        None
    }

    fn offset(&self, position: u64) -> usize {
        (position % self.period as u64) as usize
    }
}

/// A xorshift generator: the same bytes in every run.
struct Noise(u64);

impl Noise {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_framed_message_starts_with_its_body_length() {
        let pattern = Pattern::new(Framing::Length, 64, 1);
        assert_eq!(pattern.message_bytes(), 68);
        for connection in 0..3000 {
            assert_eq!(pattern.slice(pattern.start(connection), 4), [0, 0, 0, 64]);
        }
    }

    #[test]
    fn a_batch_is_one_slice_wherever_it_starts() {
        let pattern = Pattern::new(Framing::Raw, 64, 16);
        for message in 0..3000 {
            assert_eq!(pattern.slice(message * 64, 1024).len(), 1024);
        }
    }

    #[test]
    fn what_was_sent_is_what_is_expected_across_the_end_of_the_period() {
        let pattern = Pattern::new(Framing::Length, 60_000, 4);
        let mut sent = Vec::new();
        while sent.len() < 2 * pattern.period {
            sent.extend_from_slice(pattern.slice(sent.len() as u64, 50_001));
        }
        assert_eq!(pattern.first_difference(0, &sent), None);
    }

    #[test]
    fn every_changed_byte_is_found() {
        let pattern = Pattern::new(Framing::Length, 64, 16);
        let sent = pattern.slice(0, 16 * 68).to_vec();
        for index in 0..sent.len() {
            let mut received = sent.clone();
            received[index] ^= 1;
            assert_eq!(pattern.first_difference(0, &received), Some(index));
        }
    }

    #[test]
    fn a_lost_byte_is_found_within_a_message() {
        let pattern = Pattern::new(Framing::Raw, 64, 2);
        assert!(pattern.first_difference(0, &pattern.slice(0, 65)[1..]).is_some());
    }

    #[test]
    fn a_reply_of_another_connection_is_found() {
        let pattern = Pattern::new(Framing::Raw, 64, 1);
        let (mine, other) = (pattern.start(7), pattern.start(8));
        assert!(pattern.first_difference(mine, pattern.slice(other, 64)).is_some());
    }

    #[test]
    fn the_first_thousand_connections_start_at_different_messages() {
        let pattern = Pattern::new(Framing::Raw, 64, 1);
        let starts: std::collections::HashSet<u64> =
            (0..1000).map(|connection| pattern.start(connection)).collect();
        assert_eq!(starts.len(), 1000);
    }
}
