//! Reading from the expected connection without asking the kernel whose event it is.

use super::{Bench, PATIENCE, start};
use crate::event_loop::speculation::{PATIENCE as UNASKED, SURE, Speculation};
use crate::poll::Key;
use millrace_ring::record::{Label, kind};
use std::io::Write;
use std::net::TcpStream;
use std::time::Instant;

/// Two connections, both known to the user.
fn two() -> (Bench, [(TcpStream, Label); 2]) {
    let mut bench = start();
    let address = bench.listen();
    let both = [(); 2].map(|()| {
        let client = TcpStream::connect(address).unwrap();
        (client, bench.turn_until(kind::OPEN))
    });
    (bench, both)
}

fn key(Label { slot, generation, .. }: Label) -> Key {
    Key::Connection { slot, generation }
}

impl Bench {
    fn unread(&mut self, whose: Label) -> usize {
        let (_, connection) = self.event_loop.connections.get_mut(whose.slot).unwrap();
        connection.transport.unread()
    }

    /// Sends bytes, and waits until all of them have arrived.
    fn send(&mut self, (client, whose): &mut (TcpStream, Label), bytes: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        client.write_all(bytes).unwrap();
        while self.unread(*whose) < bytes.len() {
            assert!(Instant::now() < deadline, "it does not come");
            std::thread::yield_now();
        }
    }

    /// The slots whose data one turn publishes.
    fn turn_now(&mut self) -> Vec<u32> {
        self.event_loop.turn_now();
        let records = self.take().into_iter();
        records.filter(|(label, _)| label.kind == kind::DATA).map(|(label, _)| label.slot).collect()
    }

    /// Makes the loop expect that connection, as if it had asked the kernel just now or long ago.
    fn expect(&mut self, whose: Label, is_recent: bool) {
        let now = Instant::now();
        let asked = if is_recent { now + PATIENCE } else { now.checked_sub(UNASKED).unwrap() };
        let key = Some(key(whose));
        self.event_loop.speculation = Speculation { key, turns: SURE, asked };
    }

    fn expects(&self, whose: Label) -> bool {
        let speculation = &self.event_loop.speculation;
        speculation.turns >= SURE && speculation.key == Some(key(whose))
    }
}

#[test]
fn the_expected_connection_is_read_before_the_kernel_is_asked() {
    let (mut bench, [mut expected, mut other]) = two();
    bench.expect(expected.1, true);
    bench.send(&mut expected, b"one");
    bench.send(&mut other, b"two");
    assert_eq!(bench.turn_now(), [expected.1.slot]);
    // The expected connection has nothing more: the kernel is asked in the same turn, and nothing is lost.
    assert_eq!(bench.turn_now(), [other.1.slot]);
    bench.send(&mut expected, b"three");
    assert_eq!(bench.turn_now(), [expected.1.slot]);
}

#[test]
fn a_connection_is_expected_after_several_turns_of_its_own() {
    let (mut bench, [mut expected, mut other]) = two();
    for _ in 0..=SURE {
        assert!(!bench.expects(expected.1));
        bench.send(&mut expected, b"ask");
        assert_eq!(bench.turn_now(), [expected.1.slot]);
    }
    assert!(bench.expects(expected.1));
    bench.send(&mut other, b"ask");
    assert_eq!(bench.turn_now(), [other.1.slot]);
    assert!(!bench.expects(expected.1));
}

#[test]
fn other_connections_wait_no_longer_than_a_moment_for_the_expected_one() {
    let (mut bench, [mut expected, mut other]) = two();
    bench.expect(expected.1, false);
    bench.send(&mut expected, b"one");
    bench.send(&mut other, b"two");
    let mut both = bench.turn_now();
    both.sort_unstable();
    assert_eq!(both, [0, 1]);
}

#[test]
fn other_connections_do_not_wait_for_an_expected_one_that_sends_much() {
    let (mut bench, [mut expected, mut other]) = two();
    bench.expect(expected.1, true);
    bench.send(&mut expected, &[7; 8 << 10]);
    bench.send(&mut other, b"two");
    assert_eq!(bench.turn_now(), [expected.1.slot, other.1.slot]);
}

#[test]
fn the_expected_connection_may_be_gone() {
    let (mut bench, [expected, mut other]) = two();
    let (client, label) = expected;
    drop(client);
    bench.turn_until(kind::EOF);
    bench.tell(label, kind::DESTROY, b"");
    bench.event_loop.work();
    bench.expect(label, true);
    bench.send(&mut other, b"two");
    assert_eq!(bench.turn_now(), [other.1.slot]);
}
