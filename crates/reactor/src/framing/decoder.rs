//! Cuts frames off the front of a buffer, behind `tokio_util`'s `Decoder`.

use super::{Framing, LengthField, VarintField};
use bytes::{Buf, BytesMut};
use memchr::memmem;
use std::ops::Range;
use tokio_util::codec::Decoder;

/// The next frame at the front of the buffer, from where the caller takes it.
///
/// `tokio_util`'s own decoders split each frame off the buffer, which costs a reference count for each
/// frame. Here a frame goes straight from the buffer into a ring, so its lengths are enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Bytes before the body that do not belong to it.
    pub header: u32,
    /// Bytes of the body.
    pub length: u32,
    /// Bytes after the body that do not belong to it.
    pub trailer: u32,
}

impl Frame {
    /// Bytes of the whole frame, all of them in the buffer.
    #[must_use]
    pub fn size(self) -> u32 {
        self.header + self.length + self.trailer
    }

    /// Where the body is in the frame.
    #[must_use]
    pub fn body(self) -> Range<usize> {
        self.header as usize..(self.header + self.length) as usize
    }
}

/// Why a stream cannot be cut any further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameError {
    /// A frame is longer than the framing's `max`, or its header announces that.
    TooLarge,
    /// A header that no frame can have.
    Invalid,
    /// The stream ended in the middle of a frame.
    Incomplete,
}

impl FrameError {
    /// The error code that users see.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "ERR_FRAME_TOO_LARGE",
            Self::Invalid => "ERR_FRAME_INVALID",
            Self::Incomplete => "ERR_FRAME_INCOMPLETE",
        }
    }
}

impl From<std::io::Error> for FrameError {
    /// Required by `Decoder`; nothing here does I/O.
    fn from(_: std::io::Error) -> Self {
        Self::Invalid
    }
}

/// Decodes the stream of one connection.
#[derive(Debug)]
pub struct FrameDecoder<'a> {
    framing: &'a Framing,
    searched: &'a mut u32,
}

impl<'a> FrameDecoder<'a> {
    /// Makes a decoder for the next frame. `searched` belongs to the connection and starts at 0: it counts
    /// the bytes at the front of the buffer in which no end of a frame was found, so that a slow sender
    /// does not make the search quadratic.
    pub fn new(framing: &'a Framing, searched: &'a mut u32) -> Self {
        Self { framing, searched }
    }

    /// Searches for a needle of `needle` bytes after what was searched before; at most `max` bytes may be
    /// before it.
    fn find(
        &mut self,
        src: &BytesMut,
        needle: usize,
        max: u32,
        find: impl Fn(&[u8]) -> Option<usize>,
    ) -> Result<Option<usize>, FrameError> {
        let from = (*self.searched as usize).min(src.len());
        // Never further than a frame may reach: a longer frame is refused before all of it is here.
        let limit = src.len().min((max as usize).saturating_add(needle));
        match find(&src[from.min(limit)..limit]) {
            Some(at) => {
                *self.searched = 0;
                Ok(Some(from + at))
            }
            None if src.len() >= (max as usize).saturating_add(needle) => Err(FrameError::TooLarge),
            None => {
                // The needle may begin in the last bytes and go on in the next read.
                *self.searched = src.len().saturating_sub(needle - 1) as u32;
                Ok(None)
            }
        }
    }

    fn line(&mut self, src: &BytesMut, max: u32) -> Result<Option<Frame>, FrameError> {
        // The longest line with CR LF needs one byte more than with LF alone.
        let found = self.find(src, 1, max + 1, |bytes| memchr::memchr(b'\n', bytes))?;
        let Some(at) = found else { return Ok(None) };
        let carriage = at > 0 && src[at - 1] == b'\r';
        let length = (at - usize::from(carriage)) as u32;
        if length > max {
            return Err(FrameError::TooLarge);
        }
        Ok(Some(Frame { header: 0, length, trailer: 1 + u32::from(carriage) }))
    }

    fn delimiter(
        &mut self,
        src: &BytesMut,
        bytes: &[u8],
        max: u32,
    ) -> Result<Option<Frame>, FrameError> {
        let found = match bytes {
            [byte] => self.find(src, 1, max, |hay| memchr::memchr(*byte, hay))?,
            _ => self.find(src, bytes.len(), max, |hay| memmem::find(hay, bytes))?,
        };
        let trailer = bytes.len() as u32;
        Ok(found.map(|at| Frame { header: 0, length: at as u32, trailer }))
    }
}

/// A frame of `length` bytes behind `header` others, which are there, once all of it is there.
fn whole(src: &BytesMut, header: u32, length: u32) -> Option<Frame> {
    let is_whole = src.len() - header as usize >= length as usize;
    is_whole.then_some(Frame { header, length, trailer: 0 })
}

fn length_field(src: &BytesMut, field: &LengthField) -> Result<Option<Frame>, FrameError> {
    let header = field.header() as usize;
    if src.len() < header {
        return Ok(None);
    }
    let raw = &src[field.offset as usize..header];
    let value = if field.little {
        raw.iter().rev().fold(0u64, |value, byte| value << 8 | u64::from(*byte))
    } else {
        raw.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte))
    };
    // JavaScript counts exactly up to 2^53, and nothing that long is a frame.
    if value > 1 << 53 {
        return Err(FrameError::Invalid);
    }
    let total = header as i64 + value as i64 + i64::from(field.adjust);
    // A frame is not shorter than its own header, nor than what is stripped.
    if total < header as i64 || total < i64::from(field.strip) {
        return Err(FrameError::Invalid);
    }
    let length = total - i64::from(field.strip);
    if length > i64::from(field.max) {
        return Err(FrameError::TooLarge);
    }
    if (src.len() as i64) < total {
        return Ok(None);
    }
    Ok(Some(Frame { header: field.strip, length: length as u32, trailer: 0 }))
}

fn varint(src: &BytesMut, field: &VarintField) -> Result<Option<Frame>, FrameError> {
    let offset = field.offset as usize;
    let mut value = 0u64;
    for (at, byte) in src.iter().skip(offset).take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let header = field.offset + at as u32 + 1;
            // `validate` has seen to it that no header is shorter.
            let strip = field.strip.unwrap_or(header);
            let length = u64::from(header - strip) + value;
            if length > u64::from(field.max) {
                return Err(FrameError::TooLarge);
            }
            return Ok(whole(src, strip, length as u32));
        }
    }
    // Five bytes carry 35 bits, more than any frame's length needs.
    if src.len() >= offset + 5 { Err(FrameError::Invalid) } else { Ok(None) }
}

/// Cuts a whole stream that arrives in chunks, for tests of codecs without a socket. Returns the frames,
/// the error that stopped it, if any, and how many bytes were left over.
pub fn cut(
    framing: &Framing,
    chunks: &[impl AsRef<[u8]>],
) -> (Vec<Vec<u8>>, Option<FrameError>, u32) {
    let (mut frames, mut buffer, mut searched) = (Vec::new(), BytesMut::new(), 0);
    for chunk in chunks {
        buffer.extend_from_slice(chunk.as_ref());
        loop {
            match FrameDecoder::new(framing, &mut searched).decode(&mut buffer) {
                Ok(Some(frame)) => {
                    frames.push(buffer[frame.body()].to_vec());
                    buffer.advance(frame.size() as usize);
                }
                Ok(None) => break,
                Err(error) => return (frames, Some(error), buffer.len() as u32),
            }
        }
    }
    let error = (!buffer.is_empty()).then_some(FrameError::Incomplete);
    (frames, error, buffer.len() as u32)
}

impl Decoder for FrameDecoder<'_> {
    type Item = Frame;
    type Error = FrameError;

    /// Finds the next frame once all of it is in `src`. The caller takes its bytes off before it calls again.
    /// Nothing is reserved for what a header only announces.
    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        match self.framing {
            Framing::Raw => {
                let length = src.len() as u32;
                Ok((length > 0).then_some(Frame { header: 0, length, trailer: 0 }))
            }
            Framing::Line { max } => self.line(src, *max),
            Framing::Delimiter { bytes, max } => self.delimiter(src, bytes, *max),
            Framing::Fixed { size } => Ok(whole(src, 0, *size)),
            Framing::Length(field) => length_field(src, field),
            Framing::Varint(field) => varint(src, field),
        }
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        match self.decode(src)? {
            Some(frame) => Ok(Some(frame)),
            None if src.is_empty() => Ok(None),
            None => Err(FrameError::Incomplete),
        }
    }
}
