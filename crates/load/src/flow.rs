//! How far the stream of a connection has come.

use crate::fault::Fault;
use crate::pattern::Pattern;

/// What was asked for, sent and received; positions count bytes from the connection's first one on.
#[derive(Debug)]
pub struct Flow {
    /// Where in the pattern the stream begins.
    start: u64,
    /// The position up to which the connection may send.
    goal: u64,
    /// The position up to which the kernel took the bytes.
    sent: u64,
    /// The position up to which the bytes came back.
    received: u64,
}

impl Flow {
    /// Makes the stream of connection `index`, with one message asked for.
    pub fn new(index: usize, pattern: &Pattern) -> Self {
        let start = pattern.start(index);
        Self { start, goal: pattern.message_bytes(), sent: 0, received: 0 }
    }

    /// Bytes that were asked for and have not come back.
    pub fn missing(&self) -> u64 {
        self.goal - self.received
    }

    /// Bytes that came back.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Allows sending up to `goal`.
    pub fn ask(&mut self, goal: u64) {
        self.goal = self.goal.max(goal);
    }

    /// The bytes to send next, as far as they are one piece; `None` if all were sent.
    pub fn unsent<'a>(&self, pattern: &'a Pattern) -> &'a [u8] {
        pattern.slice(self.start + self.sent, self.goal - self.sent)
    }

    /// Notes that the kernel took so many bytes.
    pub fn took(&mut self, count: usize) {
        self.sent += count as u64;
    }

    /// Takes what came back, and compares it if `check` is set.
    pub fn accept(&mut self, bytes: &[u8], pattern: &Pattern, check: bool) -> Result<(), Fault> {
        if bytes.len() as u64 > self.sent - self.received {
            return Err(Fault::Surplus);
        }
        if check && let Some(offset) = pattern.first_difference(self.start + self.received, bytes) {
            return Err(Fault::Mismatch { position: self.received + offset as u64 });
        }
        self.received += bytes.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pattern::Framing;

    fn sent() -> (Pattern, Flow) {
        let pattern = Pattern::new(Framing::Raw, 64, 1);
        let mut flow = Flow::new(3, &pattern);
        flow.took(flow.unsent(&pattern).len());
        (pattern, flow)
    }

    #[test]
    fn what_comes_back_in_pieces_is_all_there() {
        let (pattern, mut flow) = sent();
        let bytes = pattern.slice(pattern.start(3), 64);
        assert!(flow.unsent(&pattern).is_empty());
        for part in bytes.chunks(7) {
            flow.accept(part, &pattern, true).expect("the bytes that were sent");
        }
        assert_eq!(flow.missing(), 0);
    }

    #[test]
    fn a_changed_byte_is_found() {
        let (pattern, mut flow) = sent();
        let mut bytes = pattern.slice(pattern.start(3), 64).to_vec();
        bytes[9] ^= 1;
        let fault = flow.accept(&bytes, &pattern, true);
        assert!(matches!(fault, Err(Fault::Mismatch { position: 9 })), "{fault:?}");
    }

    #[test]
    fn a_byte_too_many_is_found() {
        let (pattern, mut flow) = sent();
        let bytes = pattern.slice(pattern.start(3), 65);
        let fault = flow.accept(&[bytes, &[0]].concat(), &pattern, true);
        assert!(matches!(fault, Err(Fault::Surplus)), "{fault:?}");
    }
}
