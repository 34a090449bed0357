//! Version 2: binary, with fields of any kind behind the addresses.

use super::checksum::crc32c;
use super::{BadHeader, ProxyHeader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How such a header begins.
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes up to the addresses.
const FIXED: usize = 16;
/// Bytes of addresses and fields that a header may have. The specification allows 65,535, and says that headers are
/// smaller than a segment.
pub(super) const MOST: usize = 4096;

/// The version in the upper half, and the command.
const LOCAL: u8 = 0x20;
const PROXY: u8 = 0x21;

/// The type of the field with the checksum.
const CHECKSUM: u8 = 3;

/// See [`super::take`].
pub(super) fn take(bytes: &[u8]) -> Result<Option<(usize, ProxyHeader)>, BadHeader> {
    let start = bytes.len().min(SIGNATURE.len());
    if bytes[..start] != SIGNATURE[..start] {
        return Err(BadHeader);
    }
    let Some(&command) = bytes.get(12) else { return Ok(None) };
    if !matches!(command, LOCAL | PROXY) {
        return Err(BadHeader);
    }
    let Some(&[family, high, low]) = bytes.get(13..FIXED) else { return Ok(None) };
    let (family, length) = (Family::of(command, family)?, u16::from_be_bytes([high, low]).into());
    if !(family.size()..=MOST).contains(&length) {
        return Err(BadHeader);
    }
    let Some(header) = bytes.get(..FIXED + length) else { return Ok(None) };
    if !matches!(family, Family::None) {
        check_fields(header, FIXED + family.size())?;
    }
    Ok(Some((header.len(), ProxyHeader { addresses: family.addresses(&header[FIXED..]) })))
}

/// What kind of addresses there are.
#[derive(Debug, Clone, Copy)]
enum Family {
    /// Those of the socket hold: the sender knows none, or connects for itself. Whatever it sends is skipped.
    None,
    V4,
    V6,
    /// Paths on the proxy's machine, which say nothing here: those of the socket hold.
    Unix,
}

impl Family {
    /// Reads the byte with the family in the upper half, and the protocol.
    fn of(command: u8, byte: u8) -> Result<Self, BadHeader> {
        if command == LOCAL {
            // To be ignored, with what follows.
            return Ok(Self::None);
        }
        match byte {
            // A stream or datagrams: either way it is the client's address.
            0x11 | 0x12 => Ok(Self::V4),
            0x21 | 0x22 => Ok(Self::V6),
            0x31 | 0x32 => Ok(Self::Unix),
            // Unspecified.
            0x00..=0x02 | 0x10 | 0x20 | 0x30 => Ok(Self::None),
            _ => Err(BadHeader),
        }
    }

    /// Bytes that the addresses and ports have.
    fn size(self) -> usize {
        match self {
            Self::None => 0,
            Self::V4 => 12,
            Self::V6 => 36,
            Self::Unix => 216,
        }
    }

    fn addresses(self, bytes: &[u8]) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            Self::None | Self::Unix => None,
            Self::V4 => pair::<4>(bytes, |ip| Ipv4Addr::from(ip).into()),
            Self::V6 => pair::<16>(bytes, |ip| Ipv6Addr::from(ip).into()),
        }
    }
}

/// Reads two addresses of `SIZE` bytes, and two ports.
fn pair<const SIZE: usize>(
    bytes: &[u8],
    ip: fn([u8; SIZE]) -> IpAddr,
) -> Option<(SocketAddr, SocketAddr)> {
    let (from, rest) = bytes.split_first_chunk::<SIZE>()?;
    let (to, rest) = rest.split_first_chunk::<SIZE>()?;
    let (source, rest) = rest.split_first_chunk()?;
    let (destination, _) = rest.split_first_chunk()?;
    let [source, destination] = [source, destination].map(|port| u16::from_be_bytes(*port));
    Some((SocketAddr::new(ip(*from), source), SocketAddr::new(ip(*to), destination)))
}

/// Checks that there is a row of fields from `at` to the end, each with a type, a length and as many bytes; and the
/// checksum, if there is one.
fn check_fields(header: &[u8], mut at: usize) -> Result<(), BadHeader> {
    let mut is_summed = false;
    while at < header.len() {
        let Some(&[kind, high, low]) = header.get(at..at + 3) else { return Err(BadHeader) };
        let start = at + 3;
        at = start + usize::from(u16::from_be_bytes([high, low]));
        let value = header.get(start..at).ok_or(BadHeader)?;
        if kind == CHECKSUM {
            // Each one costs a walk over the whole header.
            if is_summed {
                return Err(BadHeader);
            }
            is_summed = true;
            let sent = value.try_into().map(u32::from_be_bytes).map_err(|_| BadHeader)?;
            // It was computed with zeros in its own place.
            let before_and_behind = header[..start].iter().chain(&[0; 4]).chain(&header[at..]);
            if crc32c(before_and_behind) != sent {
                return Err(BadHeader);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{BadHeader, take};
    use super::{MOST, SIGNATURE};
    use crate::proxy::checksum::crc32c;

    const V4: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 255, 255];

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [SIGNATURE.as_slice(), &[command, family], &length, rest].concat()
    }

    /// The addresses of a header that is taken whole; `None` if it says none.
    fn addresses(header: &[u8]) -> Result<Option<[String; 2]>, BadHeader> {
        let (length, found) = take(header)?.unwrap();
        assert_eq!(length, header.len());
        Ok(found.addresses.map(|(from, to)| [from.to_string(), to.to_string()]))
    }

    fn v4(fields: &[u8]) -> Vec<u8> {
        header(0x21, 0x11, &[&V4, fields].concat())
    }

    #[test]
    fn a_header_says_who_connected_to_what() {
        let v4 = Some(["1.2.3.4:9", "5.6.7.8:65535"].map(String::from));
        for family in [0x11, 0x12] {
            assert_eq!(addresses(&header(0x21, family, &V4)), Ok(v4.clone()));
        }
        let mut bytes = [0; 36];
        (bytes[0], bytes[15], bytes[31], bytes[33], bytes[34]) = (0xfd, 1, 1, 80, 2);
        let v6 = Some(["[fd00::1]:80", "[::1]:512"].map(String::from));
        for family in [0x21, 0x22] {
            assert_eq!(addresses(&header(0x21, family, &bytes)), Ok(v6.clone()));
        }
    }

    #[test]
    fn a_proxy_that_connects_for_itself_or_does_not_know_says_no_addresses() {
        for (command, family) in
            [(0x20, 0x00), (0x20, 0x11), (0x20, 0xff), (0x21, 0x00), (0x21, 0x20)]
        {
            // Whatever follows is skipped, whether or not it looks like fields.
            for rest in [&[][..], &V4, &[0; 300], &[3, 255]] {
                assert_eq!(addresses(&header(command, family, rest)), Ok(None));
            }
        }
        assert_eq!(addresses(&header(0x21, 0x31, &[b'/'; 216])), Ok(None));
    }

    #[test]
    fn what_the_specification_forbids_is_refused() {
        for (command, family) in [(0x11, 0x11), (0x22, 0x11), (0x31, 0x11), (0x2f, 0x11), (0x01, 0)]
        {
            assert_eq!(take(&header(command, family, &V4)), Err(BadHeader), "{command:x}");
        }
        for family in [0x13, 0x1f, 0x41, 0xf0, 0x03] {
            assert_eq!(take(&header(0x21, family, &[0; 216])), Err(BadHeader), "{family:x}");
        }
        for (family, size) in [(0x11, 11), (0x21, 35), (0x31, 215)] {
            assert_eq!(take(&header(0x21, family, &vec![0; size])), Err(BadHeader), "{family:x}");
        }
        let mut almost = v4(&[]);
        almost[11] = b'x';
        assert_eq!(take(&almost), Err(BadHeader));
        assert_eq!(take(&almost[..12]), Err(BadHeader));
    }

    #[test]
    fn a_header_is_refused_at_its_fixed_part_if_it_announces_too_much() {
        for (more, expected) in [(0, Ok(None)), (1, Err(BadHeader))] {
            let length = ((MOST + more) as u16).to_be_bytes();
            let start = [SIGNATURE.as_slice(), &[0x20, 0], &length].concat();
            assert_eq!(take(&start), expected);
        }
    }

    #[test]
    fn fields_are_skipped_and_have_to_be_whole() {
        let field = [0xe0, 0, 2, b'a', b'b'];
        let empty = [5, 0, 0];
        let whole = [field.as_slice(), &empty, &field].concat();
        assert!(addresses(&v4(&whole)).unwrap().is_some());
        for cut in [1, 2, 3, 4] {
            assert_eq!(take(&v4(&whole[..whole.len() - cut])), Err(BadHeader), "{cut}");
        }
        assert_eq!(take(&v4(&[5, 255, 255])), Err(BadHeader));
    }

    #[test]
    fn a_checksum_has_to_be_right() {
        let fields = [4, 0, 1, 9, 3, 0, 4, 0, 0, 0, 0, 5, 0, 1, 7];
        let mut header = v4(&fields);
        let at = header.len() - 8;
        let sum = crc32c(&header).to_be_bytes();
        header[at..at + 4].copy_from_slice(&sum);
        assert!(addresses(&header).unwrap().is_some());
        for wrong in [17, at, at + 3, header.len() - 1] {
            let mut header = header.clone();
            header[wrong] ^= 1;
            assert_eq!(take(&header), Err(BadHeader), "{wrong}");
        }
        assert_eq!(take(&v4(&[3, 0, 3, 0, 0, 0])), Err(BadHeader));
    }

    #[test]
    fn a_second_checksum_is_refused_before_it_is_computed() {
        let mut header = v4(&[3, 0, 4, 0, 0, 0, 0, 3, 0, 4, 0, 0, 0, 0]);
        let at = header.len() - 11;
        let sum = crc32c(&header).to_be_bytes();
        header[at..at + 4].copy_from_slice(&sum);
        assert_eq!(take(&header), Err(BadHeader));
    }
}
