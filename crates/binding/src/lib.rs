//! The only part of millrace that knows Node: options in, records out.
//!
//! JavaScript calls free functions with an environment's number, never methods: a method call of
//! napi-rs takes a process-wide lock (about 400 ns), a free function costs about 50 ns. Per batch
//! there is one call, `commit`, which is made by hand for that; the rest is set-up. All unsafe code is in
//! `raw`.

mod control;
mod datagram_entry;
mod datagrams;
mod dial;
mod environment;
mod exports;
mod listen;
mod raw;
