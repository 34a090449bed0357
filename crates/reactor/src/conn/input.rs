//! Reading: into the ring as it comes, or cut into frames.

use super::{Conn, Input, Next, Partial, Phase};
use crate::control::Cause;
use crate::decoder::{Frame, FrameDecoder, FrameError};
use crate::io::{BUDGET, CHUNK, Io};
use bytes::{Buf, BytesMut};
use millrace_ring::record::{self, Label, kind, reason};
use std::io::ErrorKind;
use std::mem;
use tokio_util::codec::Decoder;

/// The least a connection with a part of a frame reads at once.
const MIN_READ: usize = 4 << 10;
/// A record shorter than this is not worth a raw read: better to start again at the ring's start.
const MIN_RAW: u32 = 2 << 10;

/// How one read ended.
enum Got {
    /// Bytes, and maybe more.
    Some(usize),
    /// Bytes, and no more for now.
    Last(usize),
    /// The peer's FIN.
    End,
    /// Nothing for now.
    Nothing,
    /// The socket's error.
    Failed(Cause),
}

/// How far a buffer could be cut.
enum Cut {
    /// All of it but the beginning of a frame.
    Through,
    /// Until the ring was full.
    Starved,
    /// Until something that is no frame.
    Bad(u32),
}

impl Conn {
    /// Reads and passes on what there is, within the budget.
    pub(super) fn read(&mut self, slot: u32, generation: u32, io: &mut Io) -> Next {
        match self.input {
            Input::Flowing => {}
            Input::Discarding => return self.read_discarding(io),
            Input::Finished => return self.finish(),
        }
        let is_held = self.pauses.output || self.pauses.user && !self.has_nothing_left();
        if is_held && self.broken.is_none() || self.notes.opening.is_some() {
            return Next::Wait;
        }
        if !self.ready.readable && self.rest.is_empty() {
            return Next::Wait;
        }
        if let Some(next) = self.spent.keeps_from_reading(io) {
            return next;
        }
        let start = io.inbound.position();
        let before = self.received;
        let next = if self.listener.framing.is_raw() {
            self.read_raw(slot, generation, io)
        } else {
            self.read_framed(slot, generation, io)
        };
        if self.received != before {
            io.shared.counters.received(self.received - before);
            io.shared.gauges.received(slot, self.received);
        }
        match next {
            Next::Again if io.inbound.position() != start => self.spent.note(io),
            Next::Wait if !self.ready.readable => self.nothing_left(),
            _ => next,
        }
    }

    /// The peer's FIN came and no data before it: nothing that a pause holds back.
    fn has_nothing_left(&self) -> bool {
        self.ready.read_closed
            && self.rest.is_empty()
            && self.partial.is_none()
            && self.socket.as_ref().is_some_and(|socket| socket.unread() == 0)
    }

    /// Everything that was there is passed on: whether somebody waited for that.
    fn nothing_left(&mut self) -> Next {
        if let Some(cause) = self.broken {
            return Next::Close(cause);
        }
        if self.draining.is_some() && self.input == Input::Flowing {
            self.discard();
            self.notes.eof = Some(reason::DRAINING);
            // What came since is dropped, and the peer's FIN may be behind it.
            self.ready.readable = true;
            return Next::Again;
        }
        if self.input == Input::Finished { self.finish() } else { Next::Wait }
    }

    fn read_raw(&mut self, slot: u32, generation: u32, io: &mut Io) -> Next {
        let label = Label { slot, generation, kind: kind::DATA };
        let mut budget = BUDGET;
        while self.ready.readable {
            if budget == 0 {
                return Next::Again;
            }
            let want = CHUNK.min(io.largest()).min(budget);
            let leave = io.control_room();
            let Some(mut place) = io.inbound.reserve(want.min(MIN_RAW), want, leave) else {
                return Next::Starve;
            };
            let asked = place.bytes().len();
            let Some(socket) = &self.socket else { return Next::Wait };
            let result = socket.read(place.bytes());
            match self.got(result, asked) {
                Got::Some(count) | Got::Last(count) => {
                    place.commit(label, count as u32);
                    io.shared.counters.records_in(1);
                    budget = budget.saturating_sub(count as u32);
                    if self.is_drained(count) {
                        return Next::Wait;
                    }
                }
                Got::End => return self.ended(reason::NONE),
                Got::Nothing => {}
                Got::Failed(cause) => return Next::Close(cause),
            }
        }
        Next::Wait
    }

    /// What a read says, for the flags and the count.
    fn got(&mut self, result: std::io::Result<usize>, asked: usize) -> Got {
        match result {
            Ok(0) => {
                self.ready.readable = false;
                Got::End
            }
            Ok(count) => {
                self.received += count as u64;
                if count < asked && self.ready.drained() {
                    self.ready.readable = false;
                    return Got::Last(count);
                }
                Got::Some(count)
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock => {
                    self.ready.readable = false;
                    Got::Nothing
                }
                ErrorKind::Interrupted => Got::Nothing,
                _ => Got::Failed(self.broken.unwrap_or(Cause::system(&error))),
            },
        }
    }

    /// Counts down what the kernel held when the server began to close; true at the last of it.
    fn is_drained(&mut self, count: usize) -> bool {
        let Some(left) = &mut self.draining else { return false };
        *left = left.saturating_sub(count);
        if *left == 0 {
            self.ready.readable = false;
        }
        *left == 0
    }

    fn ended(&mut self, reason: u32) -> Next {
        self.input = Input::Finished;
        self.notes.eof = Some(reason);
        if reason != reason::NONE {
            self.failure = Some(Cause::of(reason));
        }
        self.rest = BytesMut::new();
        Next::Wait
    }

    /// The stream makes no sense from here on: what came before is delivered and answered, the rest
    /// is dropped, and the connection ends with this error.
    fn spoiled(&mut self, reason: u32) -> Next {
        self.discard();
        self.notes.eof = Some(reason);
        self.failure = Some(Cause::of(reason));
        Next::Again
    }

    /// Reads for nobody.
    fn read_discarding(&mut self, io: &mut Io) -> Next {
        let mut budget = BUDGET;
        while self.ready.readable {
            if budget == 0 {
                return Next::Again;
            }
            let mut buffer = mem::take(&mut io.scratch);
            buffer.clear();
            let Some(socket) = &self.socket else { return Next::Wait };
            let result = socket.read_behind(&mut buffer, CHUNK as usize);
            io.scratch = buffer;
            match self.got(result, CHUNK as usize) {
                Got::Some(count) | Got::Last(count) => budget = budget.saturating_sub(count as u32),
                Got::End => self.input = Input::Finished,
                Got::Nothing => {}
                Got::Failed(cause) => return Next::Close(self.failure.unwrap_or(cause)),
            }
        }
        if let Some(cause) = self.broken {
            return Next::Close(cause);
        }
        self.finish()
    }

    fn read_framed(&mut self, slot: u32, generation: u32, io: &mut Io) -> Next {
        let label = Label { slot, generation, kind: kind::DATA };
        // A connection with nothing left over uses the loop's buffer, and goes without one itself.
        let mut own = !self.rest.is_empty();
        let mut buffer = if own { mem::take(&mut self.rest) } else { mem::take(&mut io.scratch) };
        if !own {
            buffer.clear();
        }
        let next = self.fill_and_cut(label, &mut buffer, &mut own, io);
        if !own {
            if !buffer.is_empty() {
                self.rest = BytesMut::from(&buffer[..]);
            }
            io.scratch = buffer;
        } else if !buffer.is_empty() && self.input == Input::Flowing {
            self.rest = buffer;
        }
        next
    }

    fn fill_and_cut(
        &mut self,
        label: Label,
        buffer: &mut BytesMut,
        own: &mut bool,
        io: &mut Io,
    ) -> Next {
        let mut budget = BUDGET;
        loop {
            match self.cut(label, buffer, io) {
                Cut::Through => {}
                Cut::Starved => return Next::Starve,
                Cut::Bad(reason) => {
                    buffer.clear();
                    return self.spoiled(reason);
                }
            }
            if !self.ready.readable {
                return Next::Wait;
            }
            if budget == 0 {
                return Next::Again;
            }
            if !io.has_room() {
                return Next::Starve;
            }
            if *own && buffer.is_empty() {
                *buffer = mem::take(&mut io.scratch);
                buffer.clear();
                *own = false;
            } else if !*own && !buffer.is_empty() {
                // The beginning of a frame moves to a buffer of the connection's own.
                let mut rest = BytesMut::with_capacity(buffer.len().max(MIN_READ) * 2);
                rest.extend_from_slice(buffer);
                io.scratch = mem::replace(buffer, rest);
                *own = true;
            }
            // A buffer grows by what has come, never by what a header announced.
            let ask =
                if *own { buffer.len().clamp(MIN_READ, CHUNK as usize) } else { CHUNK as usize };
            let Some(socket) = &self.socket else { return Next::Wait };
            let result = socket.read_behind(buffer, ask);
            match self.got(result, ask) {
                Got::Some(count) | Got::Last(count) => {
                    budget = budget.saturating_sub(count as u32);
                    self.is_drained(count);
                }
                Got::End => {
                    let whole = buffer.is_empty() && self.partial.is_none();
                    buffer.clear();
                    let why = if whole { reason::NONE } else { reason::FRAME_INCOMPLETE };
                    return self.ended(why);
                }
                Got::Nothing => {}
                Got::Failed(cause) => return Next::Close(cause),
            }
        }
    }

    /// Passes on the whole frames at the front of a buffer.
    fn cut(&mut self, label: Label, buffer: &mut BytesMut, io: &mut Io) -> Cut {
        loop {
            let partial = match self.partial.take() {
                Some(partial) => partial,
                None => {
                    let decoder = FrameDecoder::new(&self.listener.framing, &mut self.searched);
                    match { decoder }.decode(buffer) {
                        Ok(Some(frame)) => Partial { frame, told: 0 },
                        Ok(None) => return Cut::Through,
                        Err(FrameError::TooLarge) => return Cut::Bad(reason::FRAME_TOO_LARGE),
                        Err(FrameError::Invalid) => return Cut::Bad(reason::FRAME_INVALID),
                        Err(FrameError::Incomplete) => return Cut::Bad(reason::FRAME_INCOMPLETE),
                    }
                }
            };
            if !self.tell(label, partial, buffer, io) {
                return Cut::Starved;
            }
            let Frame { length, trailer } = partial.frame;
            buffer.advance((length + trailer) as usize);
        }
    }

    /// Puts a frame into the ring, in parts if it is a large one; false if it has to wait.
    fn tell(&mut self, label: Label, mut partial: Partial, buffer: &[u8], io: &mut Io) -> bool {
        let length = partial.frame.length;
        let body = &buffer[..length as usize];
        if record::size(length) <= io.quarter {
            if io.data(label, &[], body) {
                return true;
            }
            self.partial = Some(partial);
            return false;
        }
        while partial.told < length {
            let mut prefix: &[u8] = &[];
            let mut header = [0; 8];
            let mut kind = kind::PART;
            if partial.told == 0 {
                header[..4].copy_from_slice(&length.to_ne_bytes());
                prefix = &header;
                kind = kind::PART_FIRST;
            }
            let most = (io.largest() as usize - prefix.len()).min((length - partial.told) as usize);
            let from = partial.told as usize;
            if !io.data(Label { kind, ..label }, prefix, &body[from..from + most]) {
                self.partial = Some(partial);
                return false;
            }
            partial.told += most as u32;
        }
        true
    }
}

impl Conn {
    /// The time to flush and to linger is over.
    pub(crate) fn expire(&mut self) -> Next {
        if self.phase == Phase::Open {
            return Next::Wait;
        }
        Next::Close(self.failure.unwrap_or(Cause::of(reason::LINGER_TIMEOUT)))
    }
}
