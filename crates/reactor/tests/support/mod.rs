//! A user in Rust, which takes the place of JavaScript, and what its peers need.

pub mod event;
pub mod frames;
pub mod ledger;
pub mod net;
pub mod random;
pub mod user;

pub use event::{Closed, Event, Key, What};
pub use net::Listen;
pub use random::Random;
pub use user::User;

/// How a group is set up: its rings, and who drives its loops.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Bytes in each ring.
    pub ring: usize,
    /// Loop threads; 0 is one loop, driven by its user.
    pub threads: usize,
}

impl Setup {
    pub const LARGE: Self = Self { ring: 1 << 20, threads: 1 };
    pub const SMALL: Self = Self { ring: 4 << 10, threads: 1 };
    pub const LARGE_INLINE: Self = Self { ring: 1 << 20, threads: 0 };
    pub const SMALL_INLINE: Self = Self { ring: 4 << 10, threads: 0 };
    /// The setups that every important scenario runs with.
    pub const ALL: [Self; 4] = [Self::LARGE, Self::SMALL, Self::LARGE_INLINE, Self::SMALL_INLINE];

    /// That many loop threads with large rings.
    pub const fn threads(threads: usize) -> Self {
        Self { ring: 1 << 20, threads }
    }
}
