//! The simplest decoders that could be written, and `tokio_util`'s.

use bytes::BytesMut;
use millrace_reactor::{FrameError, LengthField, VarintField};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

/// What a stream should be cut into: frames, and the error that stops it, if any.
pub type Outcome = (Vec<Vec<u8>>, Option<FrameError>);

/// Takes frames off the front of a whole stream, as `next` finds them.
pub fn naive(
    mut stream: &[u8],
    next: impl Fn(&[u8]) -> Result<Option<(Vec<u8>, usize)>, FrameError>,
) -> Outcome {
    let mut frames = Vec::new();
    loop {
        match next(stream) {
            Ok(Some((frame, length))) => {
                frames.push(frame);
                stream = &stream[length..];
            }
            Ok(None) => return (frames, (!stream.is_empty()).then_some(FrameError::Incomplete)),
            Err(error) => return (frames, Some(error)),
        }
    }
}

/// Finds a frame that ends in these bytes.
pub fn ended_by(end: &[u8], max: usize, is_line: bool) -> impl Fn(&[u8]) -> Found {
    move |stream| {
        // A line may be one byte longer before it is known whether its last byte is CR.
        let longest = max + end.len() + usize::from(is_line);
        match stream.windows(end.len()).position(|window| window == end) {
            Some(at) => {
                let mut frame = stream[..at].to_vec();
                if is_line {
                    frame.pop_if(|last| *last == b'\r');
                }
                if frame.len() > max {
                    return Err(FrameError::TooLarge);
                }
                Ok(Some((frame, at + end.len())))
            }
            None if stream.len() >= longest => Err(FrameError::TooLarge),
            None => Ok(None),
        }
    }
}

/// A frame, and how many bytes it takes including those that are dropped.
pub type Found = Result<Option<(Vec<u8>, usize)>, FrameError>;

/// Finds a frame by its length in groups of seven bits.
pub fn varint(stream: &[u8], field: &VarintField) -> Found {
    let Some(from) = stream.get(field.offset as usize..) else { return Ok(None) };
    let Some(last) = from.iter().take(5).position(|byte| byte & 0x80 == 0) else {
        return if from.len() >= 5 { Err(FrameError::Invalid) } else { Ok(None) };
    };
    let length =
        from[..=last].iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
    let header = field.offset as usize + last + 1;
    let start = field.strip.map_or(header, |strip| strip as usize);
    let end = header + length;
    if end - start > field.max as usize {
        return Err(FrameError::TooLarge);
    }
    Ok(stream.get(start..end).map(|frame| (frame.to_vec(), end)))
}

/// `tokio_util`'s decoder with the mapping of the four numbers, and with a `max` that it does not
/// have: it compares its own with the field, not with the frame.
pub fn tokio(field: &LengthField, stream: &[u8]) -> Vec<Vec<u8>> {
    let header = i64::from(field.header());
    let adjustment = header + i64::from(field.adjust) - i64::from(field.strip);
    let mut builder = LengthDelimitedCodec::builder();
    builder
        .length_field_offset(field.offset as usize)
        .length_field_length(usize::from(field.bytes))
        .num_skip(field.strip as usize)
        .length_adjustment(adjustment as isize)
        .max_frame_length(usize::MAX >> 1);
    if field.little {
        builder.little_endian();
    }
    let mut decoder = builder.new_codec();
    let mut buffer = BytesMut::from(stream);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
        frames.push(frame.to_vec());
    }
    frames
}
