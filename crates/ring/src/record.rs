//! The one record format of both directions, and the table its TypeScript twin is generated from.
//!
//! ```text
//!  0        4            8              12         16
//!  ├────────┼────────────┼──────────────┼──────────┼───────────────┬─────────┐
//!  │ slot   │ generation │ kind         │ length   │ payload       │ to 8    │
//!  └────────┴────────────┴──────────────┴──────────┴───────────────┴─────────┘
//! ```
//! All words are little-endian `u32` (every platform that millrace is built for is). A slot of
//! [`SKIP`] means that the ring goes on at its start; such a record is its first word only.

/// Bytes before a payload.
pub const HEADER: u32 = 16;
/// The slot of the mark that sends the reader back to the ring's start.
pub const SKIP: u32 = u32::MAX;

/// The whole size of a record with a payload of `length` bytes.
#[must_use]
pub const fn size(length: u32) -> u32 {
    HEADER + ((length + 7) & !7)
}

/// The word at an offset of a payload; 0 if the payload is shorter.
#[must_use]
pub fn word(payload: &[u8], at: u32) -> u32 {
    let bytes = payload.get(at as usize..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

/// What names a record: the connection it belongs to and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The connection's place in its loop.
    pub slot: u32,
    /// Which of the connections that had this place.
    pub generation: u32,
    /// One of the constants of [`kind`].
    pub kind: u32,
}

macro_rules! table {
    ($($(#[doc = $module_doc:literal])* $module:ident { $($(#[doc = $doc:literal])* $name:ident = $value:literal,)* })*) => {
        $($(#[doc = $module_doc])* pub mod $module {
            $($(#[doc = $doc])* pub const $name: u32 = $value;)*
        })*

        /// The table as text, in the order in which it is written.
        #[cfg(all(test, not(loom)))]
        pub(crate) const TABLE: &[(&str, &[&str], &[(&str, u32, &[&str])])] = &[
            $((stringify!($module), &[$($module_doc),*], &[$((stringify!($name), $value, &[$($doc),*])),*])),*
        ];
    };
}

table! {
    /// What a record says. Up to 15 from the loop to JavaScript, from 16 on the other way.
    kind {
        /// A connection is there. Payload: see `open`.
        OPEN = 1,
        /// Received bytes as they came: exactly one frame, with what is around its body, or a piece of a raw stream.
        DATA = 2,
        /// The first part of a frame too large for one record. Payload: its whole length as `u32`, four bytes unused, bytes.
        PART_FIRST = 3,
        /// A further part of the same frame; no other data of the connection stands between.
        PART = 4,
        /// Nothing more will come in. Payload: a `reason`, 0 where the peer ended in good order.
        EOF = 5,
        /// The answer to `ASK`: the queue is at or below the low-water mark.
        DRAIN = 6,
        /// The answer to `FLUSH`: the kernel has what was written before it.
        FLUSHED = 7,
        /// The end of the connection, its last record. Payload: see `close`.
        CLOSE = 8,
        /// A listener takes no more connections on this loop. Payload: see `news`.
        LISTENER_CLOSED = 9,
        /// Accepting failed and is tried again later. Payload: see `news`.
        ACCEPT_ERROR = 10,
        /// A connection could not be made, or was cancelled. Payload: see `news`.
        CONNECT_FAILED = 11,
        /// The answer to a question that was put beside the rings. Payload: see `news`.
        ANSWER = 12,
        /// A datagram came. Payload: see `datagram`, then its bytes.
        DATAGRAM = 13,
        /// A datagram socket goes on after an error of the system. Payload: see `trouble`.
        TROUBLE = 14,
        /// A time that JavaScript may want to begin again has ended. Payload: a `reason`. Answered by `TIMEOUT_ANSWER`.
        TIMEOUT = 15,
        /// Bytes to send, which follow from the connection's own input: too many of them hold that back (`autoPause`).
        WRITE = 16,
        /// Send what is written, then FIN.
        END = 17,
        /// Drop the connection now.
        DESTROY = 18,
        /// Stop reading.
        PAUSE = 19,
        /// Go on reading.
        RESUME = 20,
        /// Say `DRAIN` when the queue is at or below the low-water mark.
        ASK = 21,
        /// Say `FLUSHED` when the kernel has taken what is written up to here.
        FLUSH = 22,
        /// A datagram to send. Payload: the address it goes to, see `address` (none: that of a connected socket), then its bytes.
        SEND = 23,
        /// Read no more for me: drop what comes in, and close once both halves have ended.
        DISCARD = 24,
        /// Drop the connection now, with a reset.
        RESET = 25,
        /// Other limits in time from now on. Payload: see `timeouts`.
        TIMEOUTS = 26,
        /// The answer to `TIMEOUT`. Payload: see `answer`.
        TIMEOUT_ANSWER = 27,
        /// A message of a raw stream has begun and is not complete.
        MESSAGE_BEGUN = 28,
        /// No message of a raw stream is incomplete any more.
        MESSAGE_ENDED = 29,
        /// The first message of a raw stream was complete.
        MESSAGE_FIRST = 30,
        /// A pipe or a stream takes the input, as bytes. If another connection of the loop gets it, pass it on from `RELAY` on. Payload: see `take`. Answered then by an `EOF` with the reason `TAKEN_OVER`, if input may still come.
        TAKE = 31,
        /// Everything that came before is passed on: go on with the rest.
        RELAY = 32,
        /// The user sends a file, in several writes: until `FILE_ENDED`, whatever ends the connection resets it, as the peer might take what it has for all. If the input is done, the connection is closing.
        FILE_BEGUN = 33,
        /// All of the file is written, or the user has given up.
        FILE_ENDED = 34,
        /// Bytes to send, which do not follow from the connection's own input.
        PUSH = 35,
        /// A datagram to send from an address of this machine. Payload: see `departure`, then its bytes.
        SEND_FROM = 36,
        /// The input is to go on under another framing: deliver nothing more. Answered by an `EOF` with the reason `SWITCHED` once everything that was read before is delivered.
        SWITCH = 37,
        /// Bytes that were delivered and not dealt with, as they came: they stand before everything that is not delivered yet.
        RETURN = 38,
        /// All such bytes are back: go on with this framing. Payload: see `framing`.
        FRAMING = 39,
    }
    /// Slots, of which connections and datagram sockets have ranges of their own.
    slot {
        /// The first one of a datagram socket; those of connections are below.
        DATAGRAMS = 16_777_216,
    }
    /// Offsets in the payload of `DATAGRAM`.
    datagram {
        /// The sender's address, see `address`.
        FROM = 0,
        /// `u32`, the sum of some of `CUT`, `HAS_LOCAL` and `NOT_OWN`.
        FLAGS = 24,
        /// Bytes before those of the datagram if there is no local address. The last four are unused.
        BYTES = 32,
        /// The address that it was sent to, see `address`, if `HAS_LOCAL`. Its zone, in IPv4 too, is the interface that an answer has to leave through; 0 if routing decides.
        LOCAL = 32,
        /// Bytes before those of the datagram if there is a local address.
        LOCAL_BYTES = 56,
        /// It was longer than the socket's `max` and is cut.
        CUT = 1,
        /// There is a local address: the socket is bound to all addresses of this machine.
        HAS_LOCAL = 2,
        /// The local address is that of a group or a network, from which no datagram can leave.
        NOT_OWN = 4,
    }
    /// Offsets in the payload of `SEND_FROM`.
    departure {
        /// The address it goes to, see `address`.
        TO = 0,
        /// The address it leaves from, as in `LOCAL` of a `DATAGRAM`.
        SOURCE = 24,
        /// Bytes before those of the datagram.
        DEPARTURE_SIZE = 48,
    }
    /// Offsets in the payload of `TROUBLE`.
    trouble {
        /// `i32`, the system's error number.
        ERRNO = 0,
        /// `u32`, how often it came since the last of these records.
        COUNT = 4,
        /// `u32`, 1 if it came from receiving, 0 from sending.
        RECEIVING = 8,
        /// Bytes in all.
        TROUBLE_SIZE = 16,
    }
    /// Why a connection or its input ended.
    reason {
        /// In good order.
        NONE = 0,
        /// A system call failed; the number of the error goes with it.
        SYSTEM = 1,
        /// A frame over the limit.
        FRAME_TOO_LARGE = 2,
        /// A header that no frame can have.
        FRAME_INVALID = 3,
        /// The peer ended in the middle of a frame.
        FRAME_INCOMPLETE = 4,
        /// Nothing moved for the linger time while the connection closed.
        LINGER_TIMEOUT = 5,
        /// JavaScript asked for it.
        DESTROYED = 6,
        /// The input ended because the listener is being closed, not because the peer ended.
        DRAINING = 7,
        /// No byte moved either way for the `idle` time.
        IDLE_TIMEOUT = 8,
        /// No byte was received for the `receive` time.
        RECEIVE_TIMEOUT = 9,
        /// No whole message came within the `firstMessage` time.
        FIRST_MESSAGE_TIMEOUT = 10,
        /// A message that had begun was not complete within the `frame` time.
        FRAME_TIMEOUT = 11,
        /// Output waited, and the kernel took nothing of it for the `write` time.
        WRITE_TIMEOUT = 12,
        /// The input ended because the connection is as old as `maxLifetime` lets it be.
        MAX_LIFETIME = 13,
        /// No end: the loop passes on all input from here on.
        TAKEN_OVER = 14,
        /// No end: nothing more is delivered until the user names a framing.
        SWITCHED = 15,
    }
    /// Offsets in the payload of `OPEN`.
    open {
        /// `u32`, the listener's number.
        LISTENER = 0,
        /// The peer's address, see `address`.
        REMOTE = 4,
        /// Our address.
        LOCAL = 28,
        /// Bytes before the paths, theirs and then ours, if they are Unix sockets.
        SIZE = 52,
    }
    /// Offsets in an address.
    address {
        /// `u16`: 4, 6, 1 for the path of a Unix socket, or 0 for none.
        FAMILY = 0,
        /// `u16`; of a path, how many bytes of it follow the payload's fixed part.
        PORT = 2,
        /// 16 bytes in network order, of which IPv4 uses the first four.
        IP = 4,
        /// `u32`, the zone of an IPv6 address.
        SCOPE = 20,
        /// Bytes in all.
        LENGTH = 24,
    }
    /// Offsets in the payload of `CLOSE`.
    close {
        /// `u32`, a `reason`.
        REASON = 0,
        /// `i32`, the system's error number where the reason is `SYSTEM`.
        ERRNO = 4,
        /// `u64`, bytes received.
        RECEIVED = 8,
        /// `u64`, bytes the kernel took.
        SENT = 16,
        /// Bytes in all.
        CLOSE_SIZE = 24,
    }
    /// Offsets in the payload of `TIMEOUTS`: milliseconds each, 0 for no limit.
    timeouts {
        /// No byte either way.
        IDLE = 0,
        /// No byte received.
        RECEIVE = 4,
        /// From the opening until the first whole message.
        FIRST_MESSAGE = 8,
        /// From the first byte of a message until its last.
        FRAME = 12,
        /// Output waits and nothing of it is taken.
        WRITE = 16,
        /// From the opening until the connection is drained and closed.
        MAX_LIFETIME = 20,
        /// Bytes in all.
        TIMEOUTS_SIZE = 24,
    }
    /// Offsets in the payload of `TAKE`: the connection that gets the input.
    take {
        /// `u32`, its slot, or `ELSEWHERE`.
        TO_SLOT = 0,
        /// `u32`, its generation.
        TO_GENERATION = 4,
        /// Bytes in all.
        TAKE_SIZE = 8,
        /// The slot if no connection of the loop gets it: the input is delivered.
        ELSEWHERE = 4_294_967_295,
    }
    /// Offsets in the payload of `FRAMING`, and the forms. Which other words count depends on the form.
    framing {
        /// `u32`, one of the forms below.
        FORM = 0,
        /// `u32`, the longest frame; for `FIXED`, the size of each.
        MAX = 4,
        /// `u32`, the bytes of a length, or of a delimiter.
        WIDTH = 8,
        /// `u32`, the bytes before a length.
        OFFSET = 12,
        /// `i32`, what is added to a length.
        ADJUST = 16,
        /// `u32`, the bytes dropped from the front of a frame; for `VARINT`, `NO_STRIP` drops the header.
        STRIP = 20,
        /// `u32`, 1 if the least significant byte of a length comes first.
        LITTLE = 24,
        /// The bytes of a delimiter, up to 16.
        DELIMITER_BYTES = 28,
        /// Bytes in all.
        FRAMING_SIZE = 48,
        /// The value of `STRIP` that drops the header, however long it is.
        NO_STRIP = 4_294_967_295,
        /// Bytes as they arrive.
        RAW = 0,
        /// Lines.
        LINE = 1,
        /// Frames before a delimiter.
        DELIMITER = 2,
        /// Frames of one size.
        FIXED = 3,
        /// Frames behind a length of fixed width.
        LENGTH_FIELD = 4,
        /// Frames behind a varint.
        VARINT = 5,
    }
    /// Offsets in the payload of `TIMEOUT_ANSWER`.
    answer {
        /// `u32`, the `reason` in the `TIMEOUT`.
        TIMEOUT_REASON = 0,
        /// `u32`, milliseconds until the time ends again; 0 to close.
        TIME_LEFT = 4,
        /// Bytes in all.
        ANSWER_SIZE = 8,
    }
    /// Options of sockets, each with one number as its value.
    option {
        /// 1 switches Nagle's algorithm off.
        NO_DELAY = 1,
        /// 1 probes a peer that is silent.
        KEEP_ALIVE = 2,
        /// Seconds of silence before the first probe.
        KEEP_IDLE = 3,
        /// Seconds between probes.
        KEEP_INTERVAL = 4,
        /// Probes without an answer before the connection is lost.
        KEEP_COUNT = 5,
        /// 1 makes `destroy` reset the connection.
        RESET = 6,
        /// Bytes of the kernel's buffer for what is received.
        RECEIVE_BUFFER = 7,
        /// Bytes of the kernel's buffer for what is sent.
        SEND_BUFFER = 8,
        /// Milliseconds that sent bytes may stay unacknowledged.
        USER_TIMEOUT = 9,
        /// 1 acknowledges at once.
        QUICK_ACK = 10,
        /// The class of the packets, 0 to 63.
        DSCP = 11,
        /// Of a listener: connections that may wait whose first bytes came with their SYN.
        FAST_OPEN = 12,
        /// Of a listener: seconds to wait for the first bytes of a connection.
        DEFER_ACCEPT = 13,
        /// Of a connection to be made: 1 sends the first bytes with the SYN.
        FAST_OPEN_CONNECT = 14,
    }
    /// Offsets in the payload of what is told of no connection.
    news {
        /// `u32`: the listener's or the dial's number, or the question's.
        NUMBER = 0,
        /// `i32`, the system's error number, 0 if there is none.
        ERRNO = 4,
        /// `u32`: what was asked for, of an `ANSWER` without an error.
        VALUE = 8,
        /// Bytes in all.
        NEWS_SIZE = 16,
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
