//! Frames as a peer writes them, for each framing.

use super::Random;
use millrace_reactor::{Framing, LengthField, VarintField};

/// A four-byte length before each frame.
pub fn length(max: u32) -> Framing {
    Framing::Length(LengthField { bytes: 4, offset: 0, adjust: 0, strip: 4, little: false, max })
}

/// One framing of each kind, for bodies of at most `max` bytes, or of exactly `size`.
pub fn all(max: u32, size: u32) -> Vec<Framing> {
    let mut framings = vec![Framing::Raw];
    framings.extend(native(max, size));
    framings
}

/// The same framings without `Raw`.
pub fn native(max: u32, size: u32) -> Vec<Framing> {
    vec![
        Framing::Line { max },
        Framing::Delimiter { bytes: (*b"\0~\0").into(), max },
        Framing::Fixed { size },
        length(max),
        Framing::varint(max),
        Framing::Varint(VarintField { offset: 2, strip: None, max }),
    ]
}

/// A body that this framing can carry, of `length` bytes if the framing allows it.
pub fn body(framing: &Framing, length: usize, random: &mut Random) -> Vec<u8> {
    let length = match framing {
        Framing::Fixed { size } => *size as usize,
        _ => length,
    };
    let mut bytes = random.bytes(length);
    if let Framing::Line { .. } | Framing::Delimiter { .. } = framing {
        // No byte of it can be, or become, part of a delimiter.
        for byte in &mut bytes {
            if matches!(*byte, b'\n' | b'\r' | b'\0' | b'~') {
                *byte = b'.';
            }
        }
    }
    bytes
}

/// Appends a frame with that body.
pub fn encode(framing: &Framing, body: &[u8], into: &mut Vec<u8>) {
    match framing {
        Framing::Raw | Framing::Fixed { .. } => into.extend_from_slice(body),
        Framing::Line { .. } => {
            into.extend_from_slice(body);
            into.push(b'\n');
        }
        Framing::Delimiter { bytes, .. } => {
            into.extend_from_slice(body);
            into.extend_from_slice(bytes);
        }
        Framing::Length(_) => {
            into.extend_from_slice(&(body.len() as u32).to_be_bytes());
            into.extend_from_slice(body);
        }
        Framing::Varint(field) => {
            into.extend(std::iter::repeat_n(0xa5, field.offset as usize));
            let mut rest = body.len();
            while rest >= 0x80 {
                into.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            into.push(rest as u8);
            into.extend_from_slice(body);
        }
    }
}

/// The body of what was delivered as one frame.
pub fn decode(framing: &Framing, frame: &[u8]) -> Vec<u8> {
    if framing.is_raw() {
        return frame.to_vec();
    }
    let (mut bodies, error, rest) = millrace_reactor::cut(framing, &[frame]);
    assert!(bodies.len() == 1 && error.is_none() && rest == 0, "not one frame: {framing:?}");
    bodies.remove(0)
}

/// A stream of at least `total` bytes: frames of up to `longest` bytes.
pub fn stream(framing: &Framing, total: usize, longest: usize, random: &mut Random) -> Vec<u8> {
    let mut stream = Vec::with_capacity(total + longest);
    while stream.len() < total {
        let length = random.below(longest + 1);
        encode(framing, &body(framing, length, random), &mut stream);
    }
    stream
}
