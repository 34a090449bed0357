//! Reading from the connection that talks, without asking the kernel whose the event is.

use super::{Bench, PATIENCE, start};
use crate::event_loop::lone::{Lone, PATIENCE as UNASKED, SURE};
use crate::event_loop::token;
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

impl Bench {
    fn unread(&mut self, whose: Label) -> usize {
        let (_, conn) = self.event_loop.conns.get_mut(whose.slot).unwrap();
        conn.socket.as_ref().map_or(0, crate::socket::Socket::unread)
    }

    /// Sends, and waits until all of it is there.
    fn send(&mut self, (client, whose): &mut (TcpStream, Label), bytes: &[u8]) {
        let deadline = Instant::now() + PATIENCE;
        client.write_all(bytes).unwrap();
        while self.unread(*whose) < bytes.len() {
            assert!(Instant::now() < deadline, "it does not come");
            std::thread::yield_now();
        }
    }

    /// Whose data one turn brings.
    fn turn_now(&mut self) -> Vec<u32> {
        self.event_loop.turn_now();
        let records = self.take().into_iter();
        records.filter(|(label, _)| label.kind == kind::DATA).map(|(label, _)| label.slot).collect()
    }

    /// As if that one were expected, and the kernel had been asked just now, or long ago.
    fn expect(&mut self, whose: Label, is_recent: bool) {
        let now = Instant::now();
        let asked = if is_recent { now + PATIENCE } else { now.checked_sub(UNASKED).unwrap() };
        let token = Some(token(whose.slot, whose.generation));
        self.event_loop.lone = Lone { token, turns: SURE, asked };
    }

    fn expects(&self, whose: Label) -> bool {
        let lone = &self.event_loop.lone;
        lone.turns >= SURE && lone.token == Some(token(whose.slot, whose.generation))
    }
}

#[test]
fn who_had_the_only_event_turn_after_turn_is_read_before_the_kernel_is_asked() {
    let (mut bench, [mut lone, mut other]) = two();
    bench.expect(lone.1, true);
    bench.send(&mut lone, b"one");
    bench.send(&mut other, b"two");
    assert_eq!(bench.turn_now(), [lone.1.slot]);
    // It has nothing more: the kernel is asked in the same turn, and nothing is lost.
    assert_eq!(bench.turn_now(), [other.1.slot]);
    bench.send(&mut lone, b"three");
    assert_eq!(bench.turn_now(), [lone.1.slot]);
}

#[test]
fn it_takes_several_turns_of_one_connection_to_expect_the_next() {
    let (mut bench, [mut lone, mut other]) = two();
    for _ in 0..=SURE {
        assert!(!bench.expects(lone.1));
        bench.send(&mut lone, b"ask");
        assert_eq!(bench.turn_now(), [lone.1.slot]);
    }
    assert!(bench.expects(lone.1));
    bench.send(&mut other, b"ask");
    assert_eq!(bench.turn_now(), [other.1.slot]);
    assert!(!bench.expects(lone.1));
}

#[test]
fn nobody_waits_behind_who_is_expected_for_longer_than_a_moment() {
    let (mut bench, [mut lone, mut other]) = two();
    bench.expect(lone.1, false);
    bench.send(&mut lone, b"one");
    bench.send(&mut other, b"two");
    let mut both = bench.turn_now();
    both.sort_unstable();
    assert_eq!(both, [0, 1]);
}

#[test]
fn nobody_waits_behind_who_sends_much() {
    let (mut bench, [mut lone, mut other]) = two();
    bench.expect(lone.1, true);
    bench.send(&mut lone, &[7; 8 << 10]);
    bench.send(&mut other, b"two");
    assert_eq!(bench.turn_now(), [lone.1.slot, other.1.slot]);
}

#[test]
fn who_is_expected_may_be_gone() {
    let (mut bench, [lone, mut other]) = two();
    let (client, label) = lone;
    drop(client);
    bench.turn_until(kind::EOF);
    bench.tell(label, kind::DESTROY, b"");
    bench.event_loop.work();
    bench.expect(label, true);
    bench.send(&mut other, b"two");
    assert_eq!(bench.turn_now(), [other.1.slot]);
}
