//! Cutting a stream of bytes into frames.
//!
//! A [`Framing`] says how, as plain data that the user chose for all connections of a listener;
//! `decoder.rs` does it, behind `tokio_util`'s `Decoder`. Pure: no socket, no ring.

mod decoder;

pub use decoder::{Frame, FrameDecoder, FrameError, cut};

use std::fmt;

/// How the bytes of a stream become frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// No frames: bytes go to the user as they arrive.
    Raw,
    /// Lines that end in LF. The LF and one CR before it are dropped; `max` counts neither.
    Line {
        /// The longest line in bytes.
        max: u32,
    },
    /// Frames that end in `bytes` (1 to 16 of them), which are dropped.
    Delimiter {
        /// The bytes that end a frame.
        bytes: Box<[u8]>,
        /// The longest frame in bytes.
        max: u32,
    },
    /// Frames of one fixed size.
    Fixed {
        /// The size in bytes, at least 1.
        size: u32,
    },
    /// Frames with their length in a header.
    Length(LengthField),
    /// Frames with their length as a base-128 varint in a header, as protocol buffers delimit messages.
    Varint(VarintField),
}

/// A length field, as netty describes it with four numbers: a frame is `offset + bytes + value + adjust`
/// long, and `strip` bytes are dropped from its front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthField {
    /// The width of the field: 1, 2, 3, 4 or 8 bytes.
    pub bytes: u8,
    /// Bytes before the field.
    pub offset: u32,
    /// Added to the value: negative if the value counts the field itself or bytes before it.
    pub adjust: i32,
    /// How many bytes to drop from the front of a frame.
    pub strip: u32,
    /// Whether the least significant byte comes first.
    pub little: bool,
    /// The longest frame in bytes, after stripping.
    pub max: u32,
}

/// A length as a base-128 varint: a frame is `offset`, the varint's own bytes and its value long, and `strip`
/// bytes are dropped from its front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VarintField {
    /// Bytes before the varint.
    pub offset: u32,
    /// How many bytes to drop from the front of a frame. Without it, the header is dropped, which is as long as its
    /// varint makes it.
    pub strip: Option<u32>,
    /// The longest frame in bytes, after stripping.
    pub max: u32,
}

/// Why a framing is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramingError(pub &'static str);

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for FramingError {}

/// The largest `max`: lengths are `u32` in a record, and a frame's record counts a header.
pub const MAX_FRAME: u32 = i32::MAX as u32 - 64;

impl Framing {
    /// Frames behind nothing but their length as a varint, which is dropped.
    #[must_use]
    pub fn varint(max: u32) -> Self {
        Self::Varint(VarintField { offset: 0, strip: None, max })
    }

    /// True if bytes go to the user as they arrive.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self, Self::Raw)
    }

    /// Checks that the numbers are in range and fit together.
    ///
    /// # Errors
    /// [`FramingError`] says what is out of range.
    pub fn validate(&self) -> Result<(), FramingError> {
        let max = match self {
            Self::Raw => return Ok(()),
            Self::Line { max } => *max,
            Self::Delimiter { bytes, max } => {
                if !(1..=16).contains(&bytes.len()) {
                    return Err(FramingError("a delimiter has 1 to 16 bytes"));
                }
                *max
            }
            Self::Fixed { size } => {
                if *size == 0 {
                    return Err(FramingError("a fixed frame has at least 1 byte"));
                }
                *size
            }
            Self::Length(field) => {
                field.validate()?;
                field.max
            }
            Self::Varint(field) => {
                field.validate()?;
                field.max
            }
        };
        if max > MAX_FRAME {
            return Err(FramingError("a frame's max is at most 2147483583 bytes"));
        }
        Ok(())
    }
}

impl VarintField {
    fn validate(&self) -> Result<(), FramingError> {
        if self.offset > 1024 {
            return Err(FramingError("a varint's offset is at most 1024"));
        }
        // The shortest frame is its header with a varint of one byte.
        if self.strip.is_some_and(|strip| strip > self.offset + 1) {
            return Err(FramingError("a varint's strip is at most its offset and 1"));
        }
        Ok(())
    }
}

impl LengthField {
    /// Bytes that have to be there before the value can be read.
    #[must_use]
    pub fn header(&self) -> u32 {
        self.offset + u32::from(self.bytes)
    }

    fn validate(&self) -> Result<(), FramingError> {
        if !matches!(self.bytes, 1 | 2 | 3 | 4 | 8) {
            return Err(FramingError("a length field has 1, 2, 3, 4 or 8 bytes"));
        }
        if self.offset > 1024 {
            return Err(FramingError("a length field's offset is at most 1024"));
        }
        if self.adjust.unsigned_abs() > 1 << 30 {
            return Err(FramingError("a length field's adjust is at most 2^30 either way"));
        }
        // A frame is never shorter than its header, so stripping more than that may be impossible.
        if self.strip > self.header() + self.adjust.max(0).unsigned_abs() {
            return Err(FramingError("a length field's strip is at most its shortest frame"));
        }
        Ok(())
    }
}
