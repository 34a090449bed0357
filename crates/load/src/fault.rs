//! What can go wrong on a connection, and the count of it.

use std::fmt;
use std::io;

/// How many faults are printed; the rest are only counted.
const TOLD: u64 = 10;

/// Why a connection was given up.
#[derive(Debug)]
pub enum Fault {
    /// The socket failed, or never connected.
    Io(io::Error),
    /// The server closed the stream.
    Closed,
    /// A byte came back that was not sent.
    Mismatch {
        /// How many bytes of the connection came back unchanged before it.
        position: u64,
    },
    /// More came back than was sent.
    Surplus,
    /// Awaited bytes did not come.
    Silent {
        /// The bytes still to come.
        missing: u64,
    },
    /// The server did not close its side after our FIN.
    Unclosed,
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Closed => f.write_str("closed by the server"),
            Self::Mismatch { position } => write!(f, "byte {position} came back changed"),
            Self::Surplus => f.write_str("more came back than was sent"),
            Self::Silent { missing } => write!(f, "{missing} bytes did not come back"),
            Self::Unclosed => f.write_str("the server did not close its side"),
        }
    }
}

/// The faults of a run: the first few go to stderr, all are counted.
#[derive(Debug, Default)]
pub struct Faults {
    count: u64,
}

impl Faults {
    /// Counts a fault.
    pub fn note(&mut self, connection: usize, fault: &Fault) {
        self.count += 1;
        if self.count <= TOLD {
            eprintln!("connection {connection}: {fault}");
        }
    }

    /// How many faults there were.
    pub fn count(&self) -> u64 {
        self.count
    }
}
