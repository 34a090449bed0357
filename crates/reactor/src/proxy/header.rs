//! A header of either version, and cutting it off the front of a stream.

use super::{binary, text};
use std::net::SocketAddr;

/// What a header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProxyHeader {
    /// The client's address and the one that it connected to. `None` if those of the socket hold: the proxy connects
    /// for itself, or does not know.
    pub(crate) addresses: Option<(SocketAddr, SocketAddr)>,
}

/// The stream does not begin with a header, or with one that breaks the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadHeader;

/// Finds the header at the front of `bytes`. Returns it with its length, or `None` if it is not whole yet.
///
/// # Errors
/// [`BadHeader`], at the first byte that no header has there, and if a header is longer than 107 bytes (version 1) or
/// 4,112 bytes (version 2).
pub(crate) fn take(bytes: &[u8]) -> Result<Option<(usize, ProxyHeader)>, BadHeader> {
    match bytes.first() {
        None => Ok(None),
        Some(b'P') => text::take(bytes),
        Some(_) => binary::take(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::take;
    use crate::proxy::binary::{MOST, SIGNATURE};
    use proptest::prelude::*;

    /// Headers that are whole.
    fn header() -> impl Strategy<Value = Vec<u8>> {
        let addresses = (any::<[u8; 4]>(), any::<[u8; 4]>(), any::<u16>(), any::<u16>());
        let text = addresses.prop_map(|(from, to, source, destination)| {
            let [from, to] = [from, to].map(std::net::Ipv4Addr::from);
            format!("PROXY TCP4 {from} {to} {source} {destination}\r\n").into_bytes()
        });
        let unknown = "[ -~]{0,91}".prop_map(|rest| {
            let space = if rest.is_empty() { "" } else { " " };
            format!("PROXY UNKNOWN{space}{rest}\r\n").into_bytes()
        });
        let padding = (any::<[u8; 36]>(), 0usize..300).prop_map(|(addresses, noop)| {
            let mut bytes = [SIGNATURE.as_slice(), &[0x21, 0x21]].concat();
            bytes.extend((39 + noop as u16).to_be_bytes());
            bytes.extend(addresses);
            bytes.extend([4, (noop >> 8) as u8, noop as u8]);
            bytes.extend(vec![7; noop]);
            bytes
        });
        let local = Just([SIGNATURE.as_slice(), &[0x20, 0, 0, 0]].concat());
        prop_oneof![text, unknown, padding, local]
    }

    proptest! {
        #[test]
        fn it_never_panics_and_never_takes_more_than_there_is(bytes in any::<Vec<u8>>()) {
            if let Ok(Some((length, _))) = take(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }

        #[test]
        fn it_never_panics_behind_a_signature(
            is_text: bool,
            command in 0x1f_u8..0x23,
            family: u8,
            length in 0..300_u16,
            rest in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let mut bytes = if is_text { b"PROXY ".to_vec() } else { SIGNATURE.to_vec() };
            if !is_text {
                bytes.extend([command, family]);
                bytes.extend(length.to_be_bytes());
            }
            bytes.extend(&rest);
            if let Ok(Some((length, _))) = take(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }

        #[test]
        fn a_header_is_the_same_however_much_of_it_and_behind_it_is_there(
            header in header(),
            behind in any::<Vec<u8>>(),
        ) {
            let whole = take(&header);
            prop_assert!(matches!(whole, Ok(Some((length, _))) if length == header.len()));
            for end in 0..header.len() {
                prop_assert_eq!(take(&header[..end]), Ok(None), "cut at {}", end);
            }
            prop_assert_eq!(take(&[header, behind].concat()), whole);
        }

        #[test]
        fn what_is_no_header_is_never_waited_for(bytes in proptest::collection::vec(any::<u8>(), 16..32)) {
            prop_assume!(!bytes.starts_with(b"P") && !bytes.starts_with(&SIGNATURE));
            prop_assert!(take(&bytes).is_err());
        }

        #[test]
        fn no_more_is_waited_for_than_a_header_may_have(
            is_text: bool,
            rest in proptest::collection::vec(any::<u8>(), 0..5000),
        ) {
            let start = if is_text { b"PROXY ".as_slice() } else { &SIGNATURE };
            let bytes = [start, &rest].concat();
            if take(&bytes) == Ok(None) {
                let most = if is_text { 107 } else { 16 + MOST };
                prop_assert!(bytes.len() < most);
            }
        }
    }
}
