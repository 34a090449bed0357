//! Framings compared with `tokio_util`'s decoder and with the simplest decoders that could be written.

mod reference;

use bytes::{Buf, BytesMut};
use millrace_reactor::{FrameDecoder, FrameError, Framing, LengthField, VarintField, cut};
use proptest::prelude::*;
use proptest::sample::Index;
use reference::{Outcome, ended_by, naive, tokio, varint};
use tokio_util::codec::Decoder;

/// What a stream is cut into when it arrives in pieces that end at these places.
fn outcome(framing: &Framing, stream: &[u8], cuts: &[usize]) -> Outcome {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    ends.push(stream.len());
    ends.sort_unstable();
    let mut start = 0;
    let mut chunks = Vec::new();
    for end in ends {
        chunks.push(&stream[start..end]);
        start = end;
    }
    let (frames, error, _) = cut(framing, &chunks);
    (frames, error)
}

fn length_fields() -> impl Strategy<Value = LengthField> {
    let widths = proptest::sample::select(vec![1u8, 2, 3, 4, 8]);
    let max = prop_oneof![Just(1u32 << 20), 0u32..200];
    (widths, 0u32..12, any::<bool>(), max).prop_flat_map(|(bytes, offset, little, max)| {
        let header = offset + u32::from(bytes);
        (-(header as i32)..40, any::<Index>()).prop_map(move |(adjust, strip)| {
            let strip = strip.index((header as i32 + adjust.max(0)) as usize + 1) as u32;
            LengthField { bytes, offset, adjust, strip, little, max }
        })
    })
}

fn varint_fields() -> impl Strategy<Value = VarintField> {
    let offset = prop_oneof![Just(0u32), 0u32..12];
    let max = prop_oneof![Just(1u32 << 20), 0u32..150];
    (offset, max).prop_flat_map(|(offset, max)| {
        proptest::option::of(0..=offset + 1).prop_map(move |strip| VarintField {
            offset,
            strip,
            max,
        })
    })
}

/// A stream of frames that this field allows, each with its header and one of these bodies.
fn stream_of(field: &LengthField, bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut stream = Vec::new();
    for body in bodies {
        let total = field.header() as usize + body.len();
        let value = total as i64 - i64::from(field.header()) - i64::from(field.adjust);
        // The field is too narrow for this length, or the length would be negative.
        if value < 0 || field.bytes < 8 && value >> (8 * field.bytes) != 0 {
            continue;
        }
        let width = usize::from(field.bytes);
        stream.extend(std::iter::repeat_n(0xa5, field.offset as usize));
        if field.little {
            stream.extend(&value.to_le_bytes()[..width]);
        } else {
            stream.extend(&value.to_be_bytes()[8 - width..]);
        }
        stream.extend(body);
    }
    stream
}

fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..120), 0..12)
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(any::<usize>(), 0..30)
}

/// Text of few different bytes, so that delimiters and parts of them are everywhere.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![3 => Just(b'a'), 2 => Just(b'b'), 1 => Just(b'\r'), 1 => Just(b'\n')];
    proptest::collection::vec(byte, 0..400)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn length_field_cuts_as_tokio_util_does(
        field in length_fields(),
        bodies in bodies(),
        lost in 0usize..40,
        cuts in cuts(),
    ) {
        let framing = Framing::Length(field);
        framing.validate().unwrap();
        let mut stream = stream_of(&field, &bodies);
        stream.truncate(stream.len().saturating_sub(lost));
        let expected = tokio(&field, &stream);
        let is_fit = |frame: &Vec<u8>| frame.len() <= field.max as usize;
        let fit = expected.iter().take_while(|frame| is_fit(frame)).count();
        let (frames, error) = outcome(&framing, &stream, &cuts);
        prop_assert_eq!(&frames[..], &expected[..fit]);
        if fit < expected.len() {
            prop_assert_eq!(error, Some(FrameError::TooLarge));
        } else {
            // The last frame may be cut, and its header may be refused before that is known.
            let total: usize = expected.iter().map(|frame| frame.len() + field.strip as usize).sum();
            let cut = (total < stream.len()).then_some(FrameError::Incomplete);
            let is_refused = cut.is_some() && error == Some(FrameError::TooLarge);
            prop_assert!(error == cut || is_refused, "{:?}", error);
        }
    }

    #[test]
    fn lines_are_cut_as_if_the_stream_came_at_once(
        stream in text(), max in 0u32..40, cuts in cuts(),
    ) {
        let expected = naive(&stream, ended_by(b"\n", max as usize, true));
        prop_assert_eq!(outcome(&Framing::Line { max }, &stream, &cuts), expected);
    }

    #[test]
    fn delimiters_are_cut_as_if_the_stream_came_at_once(
        stream in text(),
        end in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'b')], 1..5),
        max in 0u32..60,
        cuts in cuts(),
    ) {
        let expected = naive(&stream, ended_by(&end, max as usize, false));
        let framing = Framing::Delimiter { bytes: end.into(), max };
        prop_assert_eq!(outcome(&framing, &stream, &cuts), expected);
    }

    #[test]
    fn fixed_frames_are_all_of_one_size(
        stream in proptest::collection::vec(any::<u8>(), 0..300), size in 1u32..50, cuts in cuts(),
    ) {
        let length = size as usize;
        let expected = naive(&stream, |stream| {
            Ok(stream.get(..length).map(|frame| (frame.to_vec(), length)))
        });
        prop_assert_eq!(outcome(&Framing::Fixed { size }, &stream, &cuts), expected);
    }

    #[test]
    fn varints_are_cut_as_if_the_stream_came_at_once(
        frames in bodies(),
        noise in proptest::collection::vec(any::<u8>(), 0..8),
        // A length may be written in more bytes than it needs.
        padding in 0usize..3,
        field in varint_fields(),
        cuts in cuts(),
    ) {
        let mut stream = Vec::new();
        for frame in frames {
            stream.extend(std::iter::repeat_n(0xa5, field.offset as usize));
            stream.push(frame.len() as u8 & 0x7f | 0x80);
            stream.extend(std::iter::repeat_n(0x80, padding));
            let last = stream.len() - 1;
            match padding {
                0 => stream[last] &= 0x7f,
                _ => stream[last] = 0,
            }
            stream.extend(&frame);
        }
        stream.extend(noise);
        let framing = Framing::Varint(field);
        framing.validate().unwrap();
        let expected = naive(&stream, |stream| varint(stream, &field));
        prop_assert_eq!(outcome(&framing, &stream, &cuts), expected);
    }
}

fn field(bytes: u8, adjust: i32, strip: u32, max: u32) -> LengthField {
    LengthField { bytes, offset: 0, adjust, strip, little: false, max }
}

fn varint_at(offset: u32, strip: Option<u32>, max: u32) -> Framing {
    Framing::Varint(VarintField { offset, strip, max })
}

#[test]
fn a_header_is_checked_before_its_body_arrives_and_reserves_no_memory() {
    let cases: [(Framing, &[u8], Result<(), FrameError>); 12] = [
        (Framing::Length(field(4, 0, 4, 100)), &[0, 0, 0, 101], Err(FrameError::TooLarge)),
        (Framing::Length(field(4, 0, 4, 1 << 30)), &[0x40, 0, 0, 0], Ok(())),
        (Framing::Length(field(8, 0, 8, 100)), &[0xff; 8], Err(FrameError::Invalid)),
        // HTTP/2: a 3-byte length in a 9-byte header, which is part of the frame.
        (Framing::Length(field(3, 6, 0, 100)), &[0, 0, 91], Ok(())),
        (Framing::Length(field(3, 6, 0, 100)), &[0, 0, 92], Err(FrameError::TooLarge)),
        (Framing::Length(field(2, -2, 2, 100)), &[0, 1], Err(FrameError::Invalid)),
        (Framing::varint(100), &[101], Err(FrameError::TooLarge)),
        (Framing::varint(1 << 30), &[0x80, 0x80, 0x80, 0x80, 4], Ok(())),
        // MQTT: a byte, then the length, and the header is part of the frame.
        (varint_at(1, Some(0), 100), &[0x30, 98], Ok(())),
        (varint_at(1, Some(0), 100), &[0x30, 99], Err(FrameError::TooLarge)),
        (varint_at(3, None, 100), &[0xff, 0xff, 0xff, 101], Err(FrameError::TooLarge)),
        (varint_at(1, None, 100), &[0, 0xff, 0xff, 0xff, 0xff, 0xff], Err(FrameError::Invalid)),
    ];
    for (framing, header, expected) in cases {
        framing.validate().unwrap();
        let mut buffer = BytesMut::from(header);
        let before = buffer.capacity();
        let mut searched = 0;
        let result = FrameDecoder::new(&framing, &mut searched).decode(&mut buffer);
        assert_eq!(result.map(|frame| assert_eq!(frame, None)), expected, "{framing:?}");
        assert_eq!(buffer.capacity(), before, "{framing:?}");
    }
}

#[test]
fn bytes_that_were_searched_are_not_searched_again() {
    let framings = [
        (Framing::Line { max: 1 << 20 }, 1),
        (Framing::Delimiter { bytes: (*b"\r\n\r\n").into(), max: 1 << 20 }, 4),
    ];
    for (framing, needle) in framings {
        let (mut buffer, mut searched) = (BytesMut::new(), 0);
        for _ in 0..10_000 {
            buffer.extend_from_slice(b"\r");
            let found = FrameDecoder::new(&framing, &mut searched).decode(&mut buffer);
            assert_eq!(found, Ok(None));
            // The next search begins here: no later than where a delimiter may have begun.
            assert_eq!(searched as usize, (buffer.len() + 1).saturating_sub(needle));
        }
        buffer.extend_from_slice(b"\n\r\n");
        let found = FrameDecoder::new(&framing, &mut searched).decode(&mut buffer);
        let frame = found.unwrap().unwrap();
        assert_eq!(searched, 0, "the next frame is searched from its start");
        buffer.advance(frame.size() as usize);
    }
}

#[test]
fn invalid_framings_are_refused() {
    let bad = [
        Framing::Fixed { size: 0 },
        Framing::Line { max: u32::MAX },
        Framing::Delimiter { bytes: [].into(), max: 1 },
        Framing::Delimiter { bytes: [0; 17].into(), max: 1 },
        Framing::Length(field(5, 0, 0, 1)),
        Framing::Length(field(4, 0, 5, 1)),
        Framing::Length(field(4, i32::MIN, 0, 1)),
        Framing::Length(LengthField { offset: 1025, ..field(4, 0, 0, 1) }),
        varint_at(1025, None, 1),
        varint_at(0, Some(2), 1),
        varint_at(3, Some(5), 1),
        varint_at(0, None, u32::MAX),
    ];
    for framing in bad {
        assert!(framing.validate().is_err(), "{framing:?}");
    }
}
