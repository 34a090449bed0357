//! The load generator as its callers see it: command line in, JSON lines and exit code out.

mod commands;
mod faults;
mod util;
