//! The attack command: clients that mean no good, towards loopback only, until it is told to stop.

use std::io::{self, BufRead};
use std::num::NonZeroU32;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use crate::attacker::{Kind, Payload};
use crate::attackers::Attackers;
use crate::options::{Failure, Options};
use crate::target::Target;

/// How long a turn waits at most, so that what is due by time is not late.
const TICK: Duration = Duration::from_millis(1);
/// The largest reply that may be asked for.
const LARGEST_REPLY: u32 = 1 << 20;

/// Runs the command. What the server does to attackers is counted, and is no error.
pub fn run(mut options: Options) -> Result<u64, Failure> {
    let kind: Kind = options.required("--kind")?;
    let target: Target = options.required("--address")?;
    let most = options.count("--connections", 100)?;
    let rate: NonZeroU32 =
        options.or("--rate", NonZeroU32::new(1000).expect("more than nothing"))?;
    let spread = options.count("--spread", 1)?;
    let reply: u32 = options.or("--reply", 65_536)?;
    options.end()?;
    let Target::Tcp(address) = target else {
        return Err(Failure::Usage("an attack is for TCP".to_owned()));
    };
    if !target.is_ipv4_loopback() {
        return Err(Failure::Usage("an attack is for 127.0.0.0/8 only".to_owned()));
    }
    let spread = u32::try_from(spread).ok().filter(|spread| *spread < 255);
    let spread =
        spread.ok_or_else(|| Failure::Usage("--spread takes at most 254 addresses".to_owned()))?;
    if reply > LARGEST_REPLY {
        return Err(Failure::Usage(format!("--reply is at most {LARGEST_REPLY}")));
    }

    let orders = orders();
    let mut attackers =
        Attackers::new(Payload::new(kind, reply), address, spread, most, rate.get())?;
    loop {
        match orders.try_recv() {
            Err(TryRecvError::Empty) => attackers.turn(TICK)?,
            Ok(line) if line.trim() == "counts" => println!("{}", attackers.report()),
            Ok(line) if line.trim() != "quit" => {
                return Err(io::Error::other(format!("'{line}' is no order")).into());
            }
            Ok(_) | Err(TryRecvError::Disconnected) => break,
        }
    }
    println!("{}", attackers.report());
    Ok(0)
}

/// The lines of stdin as they come; they end when stdin does.
fn orders() -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
