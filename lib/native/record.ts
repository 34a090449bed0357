/**
 * The record format that crosses between a loop and JavaScript.
 *
 * Generated from crates/ring/src/record.rs: `UPDATE_RECORDS=1 cargo test -p millrace-ring record`.
 */

/** Bytes before a payload. */
export const HEADER = 16
/** The slot (as a signed integer) of the mark that sends the reader back to the start. */
export const SKIP = -1

// kind: What a record says. Up to 15 from the loop to JavaScript, from 16 on the other way.
/** A connection is there. Payload: see `open`. */
export const KIND_OPEN = 1
/** Received bytes as they came: exactly one frame, with what is around its body, or a piece of a raw stream. */
export const KIND_DATA = 2
/** The first part of a frame too large for one record. Payload: its whole length as `u32`, four bytes unused, bytes. */
export const KIND_PART_FIRST = 3
/** A further part of the same frame; no other data of the connection stands between. */
export const KIND_PART = 4
/** Nothing more will come in. Payload: a `reason`, 0 where the peer ended in good order. */
export const KIND_EOF = 5
/** The answer to `ASK`: the queue is at or below the low-water mark. */
export const KIND_DRAIN = 6
/** The answer to `FLUSH`: the kernel has what was written before it. */
export const KIND_FLUSHED = 7
/** The end of the connection, its last record. Payload: see `close`. */
export const KIND_CLOSE = 8
/** A listener takes no more connections on this loop. Payload: see `news`. */
export const KIND_LISTENER_CLOSED = 9
/** Accepting failed and is tried again later. Payload: see `news`. */
export const KIND_ACCEPT_ERROR = 10
/** A connection could not be made, or was cancelled. Payload: see `news`. */
export const KIND_CONNECT_FAILED = 11
/** The answer to a question that was put beside the rings. Payload: see `news`. */
export const KIND_ANSWER = 12
/** A datagram came. Payload: see `datagram`, then its bytes. */
export const KIND_DATAGRAM = 13
/** A datagram socket goes on after an error of the system. Payload: see `trouble`. */
export const KIND_TROUBLE = 14
/** A time that JavaScript may want to begin again has ended. Payload: a `reason`. Answered by `TIMEOUT_ANSWER`. */
export const KIND_TIMEOUT = 15
/** Bytes to send, which follow from the connection's own input: too many of them hold that back (`autoPause`). */
export const KIND_WRITE = 16
/** Send what is written, then FIN. */
export const KIND_END = 17
/** Drop the connection now. */
export const KIND_DESTROY = 18
/** Stop reading. */
export const KIND_PAUSE = 19
/** Go on reading. */
export const KIND_RESUME = 20
/** Say `DRAIN` when the queue is at or below the low-water mark. */
export const KIND_ASK = 21
/** Say `FLUSHED` when the kernel has taken what is written up to here. */
export const KIND_FLUSH = 22
/** A datagram to send. Payload: the address it goes to, see `address` (none: that of a connected socket), then its bytes. */
export const KIND_SEND = 23
/** Read no more for me: drop what comes in, and close once both halves have ended. */
export const KIND_DISCARD = 24
/** Drop the connection now, with a reset. */
export const KIND_RESET = 25
/** Other limits in time from now on. Payload: see `timeouts`. */
export const KIND_TIMEOUTS = 26
/** The answer to `TIMEOUT`. Payload: see `answer`. */
export const KIND_TIMEOUT_ANSWER = 27
/** A message of a raw stream has begun and is not complete. */
export const KIND_MESSAGE_BEGUN = 28
/** No message of a raw stream is incomplete any more. */
export const KIND_MESSAGE_ENDED = 29
/** The first message of a raw stream was complete. */
export const KIND_MESSAGE_FIRST = 30
/** A pipe or a stream takes the input, as bytes. If another connection of the loop gets it, pass it on from `RELAY` on. Payload: see `take`. Answered then by an `EOF` with the reason `TAKEN_OVER`, if input may still come. */
export const KIND_TAKE = 31
/** Everything that came before is passed on: go on with the rest. */
export const KIND_RELAY = 32
/** The user sends a file, in several writes: until `FILE_ENDED`, whatever ends the connection resets it, as the peer might take what it has for all. If the input is done, the connection is closing. */
export const KIND_FILE_BEGUN = 33
/** All of the file is written, or the user has given up. */
export const KIND_FILE_ENDED = 34
/** Bytes to send, which do not follow from the connection's own input. */
export const KIND_PUSH = 35
/** A datagram to send from an address of this machine. Payload: see `departure`, then its bytes. */
export const KIND_SEND_FROM = 36
/** The input is to go on under another framing: deliver nothing more. Answered by an `EOF` with the reason `SWITCHED` once everything that was read before is delivered. */
export const KIND_SWITCH = 37
/** Bytes that were delivered and not dealt with, as they came: they stand before everything that is not delivered yet. */
export const KIND_RETURN = 38
/** All such bytes are back: go on with this framing. Payload: see `framing`. */
export const KIND_FRAMING = 39

// slot: Slots, of which connections and datagram sockets have ranges of their own.
/** The first one of a datagram socket; those of connections are below. */
export const SLOT_DATAGRAMS = 16777216

// datagram: Offsets in the payload of `DATAGRAM`.
/** The sender's address, see `address`. */
export const DATAGRAM_FROM = 0
/** `u32`, the sum of some of `CUT`, `HAS_LOCAL` and `NOT_OWN`. */
export const DATAGRAM_FLAGS = 24
/** Bytes before those of the datagram if there is no local address. The last four are unused. */
export const DATAGRAM_BYTES = 32
/** The address that it was sent to, see `address`, if `HAS_LOCAL`. Its zone, in IPv4 too, is the interface that an answer has to leave through; 0 if routing decides. */
export const DATAGRAM_LOCAL = 32
/** Bytes before those of the datagram if there is a local address. */
export const DATAGRAM_LOCAL_BYTES = 56
/** It was longer than the socket's `max` and is cut. */
export const DATAGRAM_CUT = 1
/** There is a local address: the socket is bound to all addresses of this machine. */
export const DATAGRAM_HAS_LOCAL = 2
/** The local address is that of a group or a network, from which no datagram can leave. */
export const DATAGRAM_NOT_OWN = 4

// departure: Offsets in the payload of `SEND_FROM`.
/** The address it goes to, see `address`. */
export const DEPARTURE_TO = 0
/** The address it leaves from, as in `LOCAL` of a `DATAGRAM`. */
export const DEPARTURE_SOURCE = 24
/** Bytes before those of the datagram. */
export const DEPARTURE_DEPARTURE_SIZE = 48

// trouble: Offsets in the payload of `TROUBLE`.
/** `i32`, the system's error number. */
export const TROUBLE_ERRNO = 0
/** `u32`, how often it came since the last of these records. */
export const TROUBLE_COUNT = 4
/** `u32`, 1 if it came from receiving, 0 from sending. */
export const TROUBLE_RECEIVING = 8
/** Bytes in all. */
export const TROUBLE_TROUBLE_SIZE = 16

// reason: Why a connection or its input ended.
/** In good order. */
export const REASON_NONE = 0
/** A system call failed; the number of the error goes with it. */
export const REASON_SYSTEM = 1
/** A frame over the limit. */
export const REASON_FRAME_TOO_LARGE = 2
/** A header that no frame can have. */
export const REASON_FRAME_INVALID = 3
/** The peer ended in the middle of a frame. */
export const REASON_FRAME_INCOMPLETE = 4
/** Nothing moved for the linger time while the connection closed. */
export const REASON_LINGER_TIMEOUT = 5
/** JavaScript asked for it. */
export const REASON_DESTROYED = 6
/** The input ended because the listener is being closed, not because the peer ended. */
export const REASON_DRAINING = 7
/** No byte moved either way for the `idle` time. */
export const REASON_IDLE_TIMEOUT = 8
/** No byte was received for the `receive` time. */
export const REASON_RECEIVE_TIMEOUT = 9
/** No whole message came within the `firstMessage` time. */
export const REASON_FIRST_MESSAGE_TIMEOUT = 10
/** A message that had begun was not complete within the `frame` time. */
export const REASON_FRAME_TIMEOUT = 11
/** Output waited, and the kernel took nothing of it for the `write` time. */
export const REASON_WRITE_TIMEOUT = 12
/** The input ended because the connection is as old as `maxLifetime` lets it be. */
export const REASON_MAX_LIFETIME = 13
/** No end: the loop passes on all input from here on. */
export const REASON_TAKEN_OVER = 14
/** No end: nothing more is delivered until the user names a framing. */
export const REASON_SWITCHED = 15

// open: Offsets in the payload of `OPEN`.
/** `u32`, the listener's number. */
export const OPEN_LISTENER = 0
/** The peer's address, see `address`. */
export const OPEN_REMOTE = 4
/** Our address. */
export const OPEN_LOCAL = 28
/** Bytes before the paths, theirs and then ours, if they are Unix sockets. */
export const OPEN_SIZE = 52

// address: Offsets in an address.
/** `u16`: 4, 6, 1 for the path of a Unix socket, or 0 for none. */
export const ADDRESS_FAMILY = 0
/** `u16`; of a path, how many bytes of it follow the payload's fixed part. */
export const ADDRESS_PORT = 2
/** 16 bytes in network order, of which IPv4 uses the first four. */
export const ADDRESS_IP = 4
/** `u32`, the zone of an IPv6 address. */
export const ADDRESS_SCOPE = 20
/** Bytes in all. */
export const ADDRESS_LENGTH = 24

// close: Offsets in the payload of `CLOSE`.
/** `u32`, a `reason`. */
export const CLOSE_REASON = 0
/** `i32`, the system's error number where the reason is `SYSTEM`. */
export const CLOSE_ERRNO = 4
/** `u64`, bytes received. */
export const CLOSE_RECEIVED = 8
/** `u64`, bytes the kernel took. */
export const CLOSE_SENT = 16
/** Bytes in all. */
export const CLOSE_CLOSE_SIZE = 24

// timeouts: Offsets in the payload of `TIMEOUTS`: milliseconds each, 0 for no limit.
/** No byte either way. */
export const TIMEOUTS_IDLE = 0
/** No byte received. */
export const TIMEOUTS_RECEIVE = 4
/** From the opening until the first whole message. */
export const TIMEOUTS_FIRST_MESSAGE = 8
/** From the first byte of a message until its last. */
export const TIMEOUTS_FRAME = 12
/** Output waits and nothing of it is taken. */
export const TIMEOUTS_WRITE = 16
/** From the opening until the connection is drained and closed. */
export const TIMEOUTS_MAX_LIFETIME = 20
/** Bytes in all. */
export const TIMEOUTS_TIMEOUTS_SIZE = 24

// take: Offsets in the payload of `TAKE`: the connection that gets the input.
/** `u32`, its slot, or `ELSEWHERE`. */
export const TAKE_TO_SLOT = 0
/** `u32`, its generation. */
export const TAKE_TO_GENERATION = 4
/** Bytes in all. */
export const TAKE_TAKE_SIZE = 8
/** The slot if no connection of the loop gets it: the input is delivered. */
export const TAKE_ELSEWHERE = 4294967295

// framing: Offsets in the payload of `FRAMING`, and the forms. Which other words count depends on the form.
/** `u32`, one of the forms below. */
export const FRAMING_FORM = 0
/** `u32`, the longest frame; for `FIXED`, the size of each. */
export const FRAMING_MAX = 4
/** `u32`, the bytes of a length, or of a delimiter. */
export const FRAMING_WIDTH = 8
/** `u32`, the bytes before a length. */
export const FRAMING_OFFSET = 12
/** `i32`, what is added to a length. */
export const FRAMING_ADJUST = 16
/** `u32`, the bytes dropped from the front of a frame; for `VARINT`, `NO_STRIP` drops the header. */
export const FRAMING_STRIP = 20
/** `u32`, 1 if the least significant byte of a length comes first. */
export const FRAMING_LITTLE = 24
/** The bytes of a delimiter, up to 16. */
export const FRAMING_DELIMITER_BYTES = 28
/** Bytes in all. */
export const FRAMING_FRAMING_SIZE = 48
/** The value of `STRIP` that drops the header, however long it is. */
export const FRAMING_NO_STRIP = 4294967295
/** Bytes as they arrive. */
export const FRAMING_RAW = 0
/** Lines. */
export const FRAMING_LINE = 1
/** Frames before a delimiter. */
export const FRAMING_DELIMITER = 2
/** Frames of one size. */
export const FRAMING_FIXED = 3
/** Frames behind a length of fixed width. */
export const FRAMING_LENGTH_FIELD = 4
/** Frames behind a varint. */
export const FRAMING_VARINT = 5

// answer: Offsets in the payload of `TIMEOUT_ANSWER`.
/** `u32`, the `reason` in the `TIMEOUT`. */
export const ANSWER_TIMEOUT_REASON = 0
/** `u32`, milliseconds until the time ends again; 0 to close. */
export const ANSWER_TIME_LEFT = 4
/** Bytes in all. */
export const ANSWER_ANSWER_SIZE = 8

// option: Options of sockets, each with one number as its value.
/** 1 switches Nagle's algorithm off. */
export const OPTION_NO_DELAY = 1
/** 1 probes a peer that is silent. */
export const OPTION_KEEP_ALIVE = 2
/** Seconds of silence before the first probe. */
export const OPTION_KEEP_IDLE = 3
/** Seconds between probes. */
export const OPTION_KEEP_INTERVAL = 4
/** Probes without an answer before the connection is lost. */
export const OPTION_KEEP_COUNT = 5
/** 1 makes `destroy` reset the connection. */
export const OPTION_RESET = 6
/** Bytes of the kernel's buffer for what is received. */
export const OPTION_RECEIVE_BUFFER = 7
/** Bytes of the kernel's buffer for what is sent. */
export const OPTION_SEND_BUFFER = 8
/** Milliseconds that sent bytes may stay unacknowledged. */
export const OPTION_USER_TIMEOUT = 9
/** 1 acknowledges at once. */
export const OPTION_QUICK_ACK = 10
/** The class of the packets, 0 to 63. */
export const OPTION_DSCP = 11
/** Of a listener: connections that may wait whose first bytes came with their SYN. */
export const OPTION_FAST_OPEN = 12
/** Of a listener: seconds to wait for the first bytes of a connection. */
export const OPTION_DEFER_ACCEPT = 13
/** Of a connection to be made: 1 sends the first bytes with the SYN. */
export const OPTION_FAST_OPEN_CONNECT = 14

// news: Offsets in the payload of what is told of no connection.
/** `u32`: the listener's or the dial's number, or the question's. */
export const NEWS_NUMBER = 0
/** `i32`, the system's error number, 0 if there is none. */
export const NEWS_ERRNO = 4
/** `u32`: what was asked for, of an `ANSWER` without an error. */
export const NEWS_VALUE = 8
/** Bytes in all. */
export const NEWS_NEWS_SIZE = 16
