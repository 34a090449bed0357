//! What a connection still tells when it ends.

use super::start;
use millrace_ring::record::kind;
use std::net::TcpStream;

#[test]
fn a_connection_that_is_destroyed_tells_nothing_more_but_that() {
    let mut bench = start();
    let _peer = TcpStream::connect(bench.listen()).unwrap();
    let whose = bench.turn_until(kind::OPEN);
    bench.tell(whose, kind::WRITE, b"x");
    // Both have their answers, which are not told before the turn ends.
    bench.tell(whose, kind::FLUSH, b"");
    bench.tell(whose, kind::ASK, b"");
    bench.tell(whose, kind::DESTROY, b"");
    bench.event_loop.work();
    let told: Vec<u32> = bench.take().iter().map(|(label, _)| label.kind).collect();
    assert_eq!(told, [kind::CLOSE]);
}
