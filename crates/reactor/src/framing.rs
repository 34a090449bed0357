//! What a stream is cut into: plain data, decided by the user, the same for all of a listener.

use std::fmt;

/// How the bytes of a stream become frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Framing {
    /// No frames: bytes go to the user as they come.
    Raw,
    /// Lines that end in LF, of which one CR before it is dropped. At most `max` bytes without both.
    Line {
        /// The longest line in bytes.
        max: u32,
    },
    /// Frames that end in `bytes` (1 to 16 of them), which are dropped.
    Delimiter {
        /// What ends a frame.
        bytes: Box<[u8]>,
        /// The longest frame in bytes.
        max: u32,
    },
    /// Frames of one size.
    Fixed {
        /// That size in bytes, at least 1.
        size: u32,
    },
    /// Frames that say in a header how long they are.
    Length(LengthField),
    /// Frames behind their length as a base-128 varint, as protocol buffers delimit messages.
    Varint {
        /// The longest frame in bytes.
        max: u32,
    },
}

/// Netty's four numbers: a frame is `offset + bytes + value + adjust` long, and `strip` bytes come
/// off its front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LengthField {
    /// How wide the length is: 1, 2, 3, 4 or 8 bytes.
    pub bytes: u8,
    /// Bytes before it.
    pub offset: u32,
    /// What to add to it: negative where it counts bytes before or of itself.
    pub adjust: i32,
    /// How many bytes to drop from the front of a frame.
    pub strip: u32,
    /// Whether its least byte comes first.
    pub little: bool,
    /// The longest frame in bytes, as it reaches the user.
    pub max: u32,
}

/// Why a framing cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramingError(pub &'static str);

impl fmt::Display for FramingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for FramingError {}

/// The longest frame there can be: lengths cross as `u32`, and a frame's record counts a header.
pub const MAX_FRAME: u32 = i32::MAX as u32 - 64;

impl Framing {
    /// True if bytes go to the user as they come.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        matches!(self, Self::Raw)
    }

    /// Checks the numbers against each other.
    ///
    /// # Errors
    /// [`FramingError`] says what is out of range.
    pub fn validate(&self) -> Result<(), FramingError> {
        let max = match self {
            Self::Raw => return Ok(()),
            Self::Line { max } | Self::Varint { max } => *max,
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
        };
        if max > MAX_FRAME {
            return Err(FramingError("a frame's max is at most 2147483583 bytes"));
        }
        Ok(())
    }
}

impl LengthField {
    /// Bytes that have to be there before the length can be read.
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
        // A frame is never shorter than its header, so more than the header cannot always come off.
        if self.strip > self.header() + self.adjust.max(0).unsigned_abs() {
            return Err(FramingError("a length field's strip is at most its shortest frame"));
        }
        Ok(())
    }
}
