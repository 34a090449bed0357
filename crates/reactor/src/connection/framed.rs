//! Reading frames: the stream is cut in a buffer, and each whole frame goes into the ring as it came, with what is
//! around its body: the user may hand the connection on in the middle of its stream, byte for byte.

use super::Connection;
use crate::framing::{FrameDecoder, FrameError};
use crate::inbound::{BUDGET, CHUNK, Inbound, Until};
use crate::run_queue::Next;
use crate::transport::Received;
use bytes::{Buf, BytesMut};
use millrace_ring::record::{self, Label, kind, reason};
use std::mem;
use tokio_util::codec::Decoder;

/// The least that a connection with a part of a frame reads at once.
const MIN_READ: usize = 4 << 10;

/// A frame that waits for room, or is in the ring in part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Partial {
    /// Its bytes.
    size: u32,
    /// How many of them are in the ring.
    pub(super) told: u32,
}

/// How many frames one connection may have waiting in the ring: each costs the user more than its bytes, so a peer that
/// sends tiny ones would get more than its share of the user's time and memory.
pub(super) const MOST_FRAMES: u32 = 2048;

/// How far a buffer could be cut.
pub(super) enum Cut {
    /// All of it, but for the beginning of a frame.
    Through,
    /// Until the ring was full.
    Starved,
    /// Until the connection had all the frames that it may have at a time.
    Enough,
    /// Until something that is not a frame.
    Bad(u32),
}

impl Connection {
    pub(super) fn read_framed(
        &mut self,
        slot: u32,
        generation: u32,
        inbound: &mut Inbound,
    ) -> Next {
        let label = Label { slot, generation, kind: kind::DATA };
        // A connection with nothing left over uses the loop's buffer, and has none itself.
        let mut own = !self.rest.is_empty();
        let mut buffer =
            if own { mem::take(&mut self.rest) } else { mem::take(&mut inbound.scratch) };
        if !own {
            buffer.clear();
        }
        let next = self.fill_and_cut(label, &mut buffer, &mut own, inbound);
        if !own {
            if !buffer.is_empty() {
                self.rest = BytesMut::from(&buffer[..]);
            }
            inbound.scratch = buffer;
        } else if !buffer.is_empty() {
            self.rest = buffer;
        }
        next
    }

    fn fill_and_cut(
        &mut self,
        label: Label,
        buffer: &mut BytesMut,
        own: &mut bool,
        inbound: &mut Inbound,
    ) -> Next {
        let (mut budget, mut frames) = (BUDGET, self.most_frames());
        loop {
            match self.cut(label, buffer, &mut frames, inbound) {
                Cut::Through => {}
                Cut::Enough => {
                    self.allow_more_frames();
                    return Next::Again;
                }
                Cut::Starved => return Next::Hold(Until::Room),
                Cut::Bad(reason) => return self.stream_broken(reason),
            }
            if !self.transport.is_readable() {
                return Next::Wait;
            }
            if budget == 0 {
                return Next::Again;
            }
            if !inbound.has_room() {
                return Next::Hold(Until::Room);
            }
            if *own && buffer.is_empty() {
                *buffer = mem::take(&mut inbound.scratch);
                buffer.clear();
                *own = false;
            } else if !*own && !buffer.is_empty() {
                // The beginning of a frame moves to a buffer of the connection's own.
                let mut rest = BytesMut::with_capacity(buffer.len().max(MIN_READ) * 2);
                rest.extend_from_slice(buffer);
                inbound.scratch = mem::replace(buffer, rest);
                *own = true;
            }
            // A buffer grows by what has arrived, never by what a header announced.
            let ask =
                if *own { buffer.len().clamp(MIN_READ, CHUNK as usize) } else { CHUNK as usize };
            match self.transport.read_behind(buffer, ask) {
                Received::Some(count) | Received::Last(count) => {
                    self.received += count as u64;
                    budget = budget.saturating_sub(count as u32);
                    self.is_drained(count);
                }
                Received::End => {
                    let whole = buffer.is_empty() && self.partial.is_none();
                    if let (Some(cause), false) = (self.broken, whole) {
                        // The failed write says why the rest of the frame does not come.
                        return Next::Close(cause);
                    }
                    let why = if whole { reason::NONE } else { reason::FRAME_INCOMPLETE };
                    return self.input_ended(why);
                }
                Received::Nothing => {}
                Received::Failed(error) => return Next::Close(self.read_failure(&error)),
            }
        }
    }

    /// The stream is not cut into these frames any more: what is left of one that is delivered in part is bytes.
    pub(super) fn break_up_partial(&mut self) {
        if let Some(partial) = self.partial.take() {
            // These bytes of the frame are delivered already.
            self.rest.advance(partial.told as usize);
        }
    }

    /// Passes on the whole frames at the front of a buffer.
    pub(super) fn cut(
        &mut self,
        label: Label,
        buffer: &mut BytesMut,
        frames: &mut u32,
        inbound: &mut Inbound,
    ) -> Cut {
        loop {
            // With nothing left over, the caller has to see that this was all.
            if *frames == 0 && !buffer.is_empty() {
                return Cut::Enough;
            }
            let partial = match self.partial.take() {
                Some(partial) => *partial,
                None => {
                    let decoder = FrameDecoder::new(&self.profile.framing, &mut self.searched);
                    match { decoder }.decode(buffer) {
                        Ok(Some(frame)) => Partial { size: frame.size(), told: 0 },
                        Ok(None) => return Cut::Through,
                        Err(FrameError::TooLarge) => return Cut::Bad(reason::FRAME_TOO_LARGE),
                        Err(FrameError::Invalid) => return Cut::Bad(reason::FRAME_INVALID),
                        Err(FrameError::Incomplete) => return Cut::Bad(reason::FRAME_INCOMPLETE),
                    }
                }
            };
            if !self.pass_on(label, partial, buffer, inbound) {
                return Cut::Starved;
            }
            buffer.advance(partial.size as usize);
            *frames -= 1;
        }
    }

    /// Puts a frame into the ring, in parts if it is large; false if it has to wait.
    fn pass_on(
        &mut self,
        label: Label,
        mut partial: Partial,
        buffer: &[u8],
        inbound: &mut Inbound,
    ) -> bool {
        let size = partial.size;
        let frame = &buffer[..size as usize];
        if record::size(size) <= inbound.quarter {
            if inbound.data(label, &[], frame) {
                return true;
            }
            self.partial = Some(Box::new(partial));
            return false;
        }
        while partial.told < size {
            let mut prefix: &[u8] = &[];
            let mut header = [0; 8];
            let mut kind = kind::PART;
            if partial.told == 0 {
                header[..4].copy_from_slice(&size.to_ne_bytes());
                prefix = &header;
                kind = kind::PART_FIRST;
            }
            let room = inbound.largest() as usize - prefix.len();
            let most = room.min((size - partial.told) as usize);
            let from = partial.told as usize;
            if !inbound.data(Label { kind, ..label }, prefix, &frame[from..from + most]) {
                self.partial = Some(Box::new(partial));
                return false;
            }
            partial.told += most as u32;
        }
        true
    }
}
