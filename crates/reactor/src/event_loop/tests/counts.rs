//! What a loop counts.

use super::start;
use crate::accepting::ListenerCommand;
use crate::accepting::testing::listening;
use crate::accepting::{BoundListener, ListenOptions};
use crate::balancing::Balance;
use crate::framing::Framing;
use crate::handoff::LoopCommand;
use crate::service::Service;
use crate::stats::LoopCounts;
use millrace_ring::record::kind;
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn each_count_is_of_what_its_name_says() {
    for (framing, framed) in [(Framing::Raw, 1), (Framing::Fixed { size: 4 }, 2)] {
        let mut bench = start();
        let options = ListenOptions { framing, ..listening() };
        let service = Service::new(Balance::RoundRobin, 0, false);
        let bound = BoundListener::new(options, &service).unwrap();
        let address = bound.local().inet().unwrap();
        bench.command(LoopCommand::Listener(ListenerCommand::Listen(bound)));
        bench.event_loop.work();
        let mut peer = TcpStream::connect(address).unwrap();
        let whose = bench.turn_until(kind::OPEN);
        // One write, so one chunk of a raw stream, and two frames of four bytes.
        peer.write_all(b"fourfour").unwrap();
        bench.turn_until(kind::DATA);
        bench.tell(whose, kind::WRITE, b"three");
        bench.tell(whose, kind::WRITE, b"");
        bench.event_loop.work();
        peer.read_exact(&mut [0; 5]).unwrap();
        let open = bench.counters();
        let expected = LoopCounts {
            opened: 1,
            received: 8,
            sent: 5,
            records_in: framed,
            records_out: 2,
            turns: open.turns,
            ..LoopCounts::default()
        };
        assert_eq!(open, expected);
        bench.tell(whose, kind::DESTROY, b"");
        bench.event_loop.work();
        let turns = open.turns + 1;
        assert_eq!(bench.counters(), LoopCounts { closed: 1, records_out: 3, turns, ..open });
    }
}
