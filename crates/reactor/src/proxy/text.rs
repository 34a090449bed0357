//! Version 1: one line of text.

use super::{BadHeader, ProxyHeader};
use memchr::memchr2;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The longest line, with its CRLF.
const LONGEST: usize = 107;
const START: &[u8] = b"PROXY ";
const END: &[u8] = b"\r\n";

/// See [`super::take`].
pub(super) fn take(bytes: &[u8]) -> Result<Option<(usize, ProxyHeader)>, BadHeader> {
    let seen = &bytes[..bytes.len().min(LONGEST)];
    if !seen.starts_with(&START[..seen.len().min(START.len())]) {
        return Err(BadHeader);
    }
    // Neither of the two is anywhere but at the end.
    let Some(end) = memchr2(END[0], END[1], seen) else { return incomplete(seen) };
    let (line, rest) = seen.split_at(end);
    if rest == &END[..1] {
        return incomplete(seen);
    }
    if !rest.starts_with(END) {
        return Err(BadHeader);
    }
    let line = line.strip_prefix(START).ok_or(BadHeader)?;
    let line = str::from_utf8(line).map_err(|_| BadHeader)?;
    Ok(Some((end + END.len(), parse(line)?)))
}

fn incomplete(seen: &[u8]) -> Result<Option<(usize, ProxyHeader)>, BadHeader> {
    if seen.len() == LONGEST { Err(BadHeader) } else { Ok(None) }
}

/// Reads what follows `PROXY `.
fn parse(line: &str) -> Result<ProxyHeader, BadHeader> {
    let (protocol, rest) = line.split_once(' ').map_or((line, None), |(a, b)| (a, Some(b)));
    let addresses = match (protocol, rest) {
        // What follows is to be ignored.
        ("UNKNOWN", _) => None,
        ("TCP4", Some(rest)) => Some(pair::<Ipv4Addr>(rest)?),
        ("TCP6", Some(rest)) => Some(pair::<Ipv6Addr>(rest)?),
        _ => return Err(BadHeader),
    };
    Ok(ProxyHeader { addresses })
}

/// Reads two addresses and their ports.
fn pair<Ip: FromStr + Into<IpAddr>>(text: &str) -> Result<(SocketAddr, SocketAddr), BadHeader> {
    let mut words = text.split(' ');
    let mut word = || words.next().ok_or(BadHeader);
    let [from, to, source, destination] = [word()?, word()?, word()?, word()?];
    if words.next().is_some() {
        return Err(BadHeader);
    }
    let ip = |text: &str| text.parse::<Ip>().map(Into::into).map_err(|_| BadHeader);
    let from = SocketAddr::new(ip(from)?, port(source)?);
    Ok((from, SocketAddr::new(ip(to)?, port(destination)?)))
}

/// Reads a port: digits, and no zero before others.
fn port(text: &str) -> Result<u16, BadHeader> {
    let are_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits || text.len() > 1 && text.starts_with('0') {
        return Err(BadHeader);
    }
    text.parse().map_err(|_| BadHeader)
}

#[cfg(test)]
mod tests {
    use super::super::{BadHeader, ProxyHeader, take};

    /// The length of a line, and the addresses that it says; `None` if it is not whole.
    type Found = Option<(usize, Option<[String; 2]>)>;

    fn addresses(line: &str) -> Result<Found, BadHeader> {
        let found = take(line.as_bytes())?;
        Ok(found.map(|(length, ProxyHeader { addresses })| {
            (length, addresses.map(|(from, to)| [from.to_string(), to.to_string()]))
        }))
    }

    #[test]
    fn a_line_says_who_connected_to_what() {
        for (line, expected) in [
            ("PROXY TCP4 1.2.3.4 5.6.7.8 9 65535\r\n", Some(["1.2.3.4:9", "5.6.7.8:65535"])),
            (
                "PROXY TCP4 255.255.255.255 0.0.0.0 0 10\r\n",
                Some(["255.255.255.255:0", "0.0.0.0:10"]),
            ),
            ("PROXY TCP6 2001:db8::1 ::1 443 1\r\n", Some(["[2001:db8::1]:443", "[::1]:1"])),
            (
                "PROXY TCP6 FFFF:0:0:0:0:0:0:1 ::ffff:1.2.3.4 4 1\r\n",
                Some(["[ffff::1]:4", "[::ffff:1.2.3.4]:1"]),
            ),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN whatever 1 2 3 +\r\n", None),
        ] {
            let expected = Ok(Some((line.len(), expected.map(|pair| pair.map(String::from)))));
            assert_eq!(addresses(line), expected, "{line}");
        }
    }

    #[test]
    fn the_longest_line_is_taken_and_a_longer_one_is_not() {
        let full = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        let longest = format!("PROXY UNKNOWN {full} {full} 65535 65535\r\n");
        assert_eq!(longest.len(), 107);
        assert_eq!(addresses(&longest), Ok(Some((107, None))));
        assert_eq!(addresses(&longest.replace("UNKNOWN ", "UNKNOWN  ")), Err(BadHeader));
        assert_eq!(addresses(&longest[..106]), Ok(None));
        assert_eq!(addresses(&"PROXY UNKNOWN ".repeat(100)), Err(BadHeader));
    }

    #[test]
    fn a_line_that_is_not_exact_is_refused() {
        for line in [
            "PROXY\r\n",
            "PROXY \r\n",
            "PROXY  TCP4 1.1.1.1 2.2.2.2 3 4\r\n",
            "PROXY TCP4  1.1.1.1 2.2.2.2 3 4\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 3 4 \r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 3 4 5\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 3\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 3 \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 ::1 ::2 3 4\r\n",
            "PROXY TCP4 1.1.1.1 ::2 3 4\r\n",
            "PROXY TCP6 1.1.1.1 2.2.2.2 3 4\r\n",
            "PROXY TCP6 fe80::1%1 ::2 3 4\r\n",
            "PROXY TCP4 1.1.1 2.2.2.2 3 4\r\n",
            "PROXY TCP4 01.1.1.1 2.2.2.2 3 4\r\n",
            "PROXY TCP4 1.1.1.256 2.2.2.2 3 4\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 03 4\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 3 00\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 +3 4\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 -3 4\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 65536 4\r\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 3 4\n",
            "PROXY TCP4 1.1.1.1 2.2.2.2 3 4\rx",
            "PROXY TCP4 1.1.1.1\r\n2.2.2.2 3 4\r\n",
            "PROXY TCP4\t1.1.1.1 2.2.2.2 3 4\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY unknown\r\n",
            "PROXY UDP4 1.1.1.1 2.2.2.2 3 4\r\n",
            "PROXX TCP4 1.1.1.1 2.2.2.2 3 4\r\n",
            "proxy TCP4 1.1.1.1 2.2.2.2 3 4\r\n",
            "POST / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\n",
        ] {
            assert_eq!(addresses(line), Err(BadHeader), "{line}");
        }
    }
}
