//! What a registered socket is called: its kind and its slot, packed into a mio token.

use mio::Token;

/// Bits of a token that hold the slot; the generation is above them.
const SLOT_BITS: u32 = 24;
/// Slots of one kind that a token has room for.
pub(crate) const MAX_SLOTS: u32 = 1 << SLOT_BITS;

/// Where the three bits begin that tell kinds apart. A slot and a generation have the 56 bits below;
/// the tokens of listeners and of the waker have all bits above.
const KIND_SHIFT: u32 = usize::BITS - 3;
const CONNECTION: usize = 0;
const DATAGRAMS: usize = 1;
const CONNECTING: usize = 2;
const AWAITING_HEADER: usize = 3;

/// The token of a waker, in the acceptor and in every loop.
pub(super) const WAKER: Token = Token(usize::MAX);
/// The tokens of listeners count down from here.
const FIRST_LISTENER: usize = usize::MAX - 1;

/// Names what an event is about. A slot that is used again has another generation, so that a late event
/// of its last socket is not taken for one of the new socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// The alarm of the thread that waits.
    Waker,
    /// The listener at this place among those of the thread.
    Listener(usize),
    /// A connection.
    Connection { slot: u32, generation: u32 },
    /// A socket that is not connected yet.
    Connecting { slot: u32, generation: u32 },
    /// An accepted socket whose PROXY header is awaited.
    AwaitingHeader { slot: u32, generation: u32 },
    /// A datagram socket; its slot is counted from 0.
    Datagrams { slot: u32, generation: u32 },
}

impl Key {
    pub(super) fn token(self) -> Token {
        match self {
            Self::Waker => WAKER,
            Self::Listener(at) => Token(FIRST_LISTENER - at),
            Self::Connection { slot, generation } => pack(CONNECTION, slot, generation),
            Self::Connecting { slot, generation } => pack(CONNECTING, slot, generation),
            Self::AwaitingHeader { slot, generation } => pack(AWAITING_HEADER, slot, generation),
            Self::Datagrams { slot, generation } => pack(DATAGRAMS, slot, generation),
        }
    }

    pub(super) fn of_token(token: Token) -> Self {
        let slot = token.0 as u32 & (MAX_SLOTS - 1);
        let generation = (token.0 >> SLOT_BITS) as u32;
        match token.0 >> KIND_SHIFT {
            CONNECTION => Self::Connection { slot, generation },
            CONNECTING => Self::Connecting { slot, generation },
            AWAITING_HEADER => Self::AwaitingHeader { slot, generation },
            DATAGRAMS => Self::Datagrams { slot, generation },
            _ if token == WAKER => Self::Waker,
            _ => Self::Listener(FIRST_LISTENER - token.0),
        }
    }
}

fn pack(kind: usize, slot: u32, generation: u32) -> Token {
    Token(kind << KIND_SHIFT | (generation as usize) << SLOT_BITS | slot as usize)
}

#[cfg(test)]
mod tests {
    use super::{Key, MAX_SLOTS};

    #[test]
    fn a_token_gives_back_the_key_that_it_was_made_of() {
        let mut keys = vec![Key::Waker, Key::Listener(0), Key::Listener(1 << 20)];
        for slot in [0, 7, MAX_SLOTS - 1] {
            for generation in [0, 1, u32::MAX] {
                keys.push(Key::Connection { slot, generation });
                keys.push(Key::Connecting { slot, generation });
                keys.push(Key::AwaitingHeader { slot, generation });
                keys.push(Key::Datagrams { slot, generation });
            }
        }
        for key in keys {
            assert_eq!(Key::of_token(key.token()), key);
        }
    }
}
