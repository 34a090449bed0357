//! Checks in every test that each connection keeps the order of its records.

use super::event::{Event, Key, What};
use std::collections::{HashMap, HashSet};

/// Watches the records of all connections, and puts the parts of large frames together.
#[derive(Debug, Default)]
pub struct Ledger {
    lives: HashMap<Key, Life>,
    gone: HashSet<Key>,
}

#[derive(Debug, Default)]
struct Life {
    has_ended: bool,
    /// The announced length of a frame whose parts are arriving, and the bytes so far.
    partial: Option<(usize, Vec<u8>)>,
}

impl Ledger {
    /// Takes one event; returns it, unless it is a part of something that is not yet whole.
    ///
    /// Each connection opens first and once, says nothing of its input after its end, closes last
    /// and once; the parts of a frame come one after the other and are as long as was announced.
    pub fn note(&mut self, event: Event) -> Option<Event> {
        let Event { key, what } = event;
        match &what {
            What::ListenerClosed(_) | What::AcceptError(..) | What::ConnectFailed(..) => {
                return Some(Event { key, what });
            }
            What::Open { .. } => {
                assert!(!self.gone.contains(&key), "{key:?} opened after it was closed");
                let before = self.lives.insert(key, Life::default());
                assert!(before.is_none(), "{key:?} opened twice");
                return Some(Event { key, what });
            }
            What::Close(_) => {
                assert!(self.lives.remove(&key).is_some(), "{key:?} closed, but was not open");
                self.gone.insert(key);
                return Some(Event { key, what });
            }
            _ => {}
        }
        let life = self.lives.get_mut(&key);
        let life = life.unwrap_or_else(|| panic!("{key:?} is not open, and says {what:?}"));
        let (whole, bytes) = match what {
            What::Data(_) | What::PartFirst(..) | What::Part(_) if life.has_ended => {
                panic!("{key:?} has data after its end")
            }
            What::Eof(_) => {
                assert!(!life.has_ended, "{key:?} ended twice");
                life.has_ended = true;
                return Some(Event { key, what });
            }
            What::PartFirst(length, bytes) => {
                assert!(life.partial.is_none(), "{key:?}: a frame within a frame");
                (length as usize, bytes)
            }
            What::Part(bytes) => {
                let (whole, mut before) = life.partial.take().expect("a part without a first");
                before.extend_from_slice(&bytes);
                (whole, before)
            }
            What::Data(_) => {
                assert!(life.partial.is_none(), "{key:?}: a frame between the parts of another");
                return Some(Event { key, what });
            }
            _ => return Some(Event { key, what }),
        };
        assert!(bytes.len() <= whole, "{key:?}: more parts than were announced");
        if bytes.len() == whole {
            return Some(Event { key, what: What::Data(bytes) });
        }
        life.partial = Some((whole, bytes));
        None
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.lives.len()
    }
}
