//! The only part of millrace that knows Node: options in, records out.
//!
//! JavaScript calls free functions with the number of an environment, never methods: a method call of napi-rs
//! takes a process-wide lock (about 400 ns), a free function costs about 50 ns. Each batch needs one call,
//! `commit`, which is therefore made by hand; everything else is set-up. All unsafe code is in `raw`.

mod control;
mod datagram_entry;
mod datagrams;
mod dial;
mod environment;
mod exports;
mod listen;
mod raw;
