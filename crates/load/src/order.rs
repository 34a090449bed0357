//! A line that tells the idle command what to do.

use std::io;
use std::str::FromStr;

/// An instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Open that many more connections.
    Open(usize),
    /// Close the last so many connections.
    Close(usize),
    /// Stop.
    Quit,
}

impl FromStr for Order {
    type Err = io::Error;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let order = match words[..] {
            ["open", count] => count.parse().map(Self::Open).ok(),
            ["close", "all"] => Some(Self::Close(usize::MAX)),
            ["close", count] => count.parse().map(Self::Close).ok(),
            ["quit"] => Some(Self::Quit),
            _ => None,
        };
        order.ok_or_else(|| io::Error::other(format!("'{line}' is no order")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_words() {
        let order = |line: &str| line.parse::<Order>().expect("an order");
        assert_eq!(order("open 5"), Order::Open(5));
        assert_eq!(order("close 7"), Order::Close(7));
        assert_eq!(order("close all"), Order::Close(usize::MAX));
        assert_eq!(order(" quit "), Order::Quit);
    }

    #[test]
    fn anything_else_is_refused() {
        for line in ["", "open", "open all", "close -1", "quit now"] {
            assert!(line.parse::<Order>().is_err(), "{line}");
        }
    }
}
