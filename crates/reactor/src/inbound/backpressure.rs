//! Back-pressure: which sockets have to wait before more of their input is read, and until when.
//!
//! There are two reasons. The ring has no room, so a socket waits until the largest record fits again. Or
//! the socket used up its budget, so it waits until the user has consumed all of that: no socket waits for
//! more than one budget of another.

use super::Inbound;
use std::collections::VecDeque;

/// What has to happen before more of a socket's input is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// The inbound ring has room.
    Room,
    /// The user has consumed the inbound ring up to this position.
    Consumed(u32),
}

/// One socket's share of the inbound ring.
#[derive(Debug, Default)]
pub(crate) struct Credit {
    /// Where the ring stood when the socket used up its last budget. The next budget begins when
    /// everything before that is consumed.
    spent_at: Option<u32>,
    /// The socket is among the held ones.
    is_held: bool,
}

/// The sockets of a loop that are held, by slot.
#[derive(Debug, Default)]
pub(super) struct HeldSockets {
    /// Those that wait for room.
    for_room: VecDeque<u32>,
    /// Those that wait for their budget to be consumed, and up to where; in the order of those positions.
    for_budget: VecDeque<(u32, u32)>,
    /// Sockets wait for room, so that a socket with input now has to wait behind them.
    is_crowded: bool,
}

impl Credit {
    /// What has to happen before more is read into the ring; `None` if the socket may read at once.
    pub(crate) fn blocks(&mut self, inbound: &mut Inbound) -> Option<Until> {
        if let Some(position) = self.spent_at
            && !inbound.ring.is_consumed(position)
        {
            return Some(Until::Consumed(position));
        }
        self.spent_at = None;
        inbound.held.is_crowded.then_some(Until::Room)
    }

    /// Notes that the socket has used up a budget, which ends where the ring stands now.
    pub(crate) fn use_up(&mut self, inbound: &Inbound) -> Until {
        let position = inbound.ring.position();
        self.spent_at = Some(position);
        Until::Consumed(position)
    }

    /// Whether the socket is held.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Notes that the socket is not held any more.
    pub(crate) fn release(&mut self) {
        self.is_held = false;
    }
}

impl Inbound {
    /// Holds a socket until then, unless it is held already.
    pub(crate) fn hold(&mut self, slot: u32, until: Until, credit: &mut Credit) {
        if credit.is_held {
            return;
        }
        credit.is_held = true;
        match until {
            Until::Room => {
                self.held.for_room.push_back(slot);
                self.held.is_crowded = true;
            }
            Until::Consumed(position) => self.held.for_budget.push_back((slot, position)),
        }
    }

    /// How many sockets wait for room.
    pub(crate) fn held_for_room(&self) -> usize {
        self.held.for_room.len()
    }

    /// Whether any socket waits for the user to consume the ring.
    pub(crate) fn holds_any(&self) -> bool {
        !self.held.for_room.is_empty() || !self.held.for_budget.is_empty()
    }

    /// The next socket that waited for room, which may read now; `None` if there is no room. A socket
    /// that gets no chance stays in front of those that had one.
    pub(crate) fn next_with_room(&mut self) -> Option<u32> {
        if !self.has_room() {
            return None;
        }
        let slot = self.held.for_room.pop_front()?;
        // It is its turn, so it does not wait behind the others.
        self.held.is_crowded = false;
        Some(slot)
    }

    /// Makes sockets with input wait behind those that wait for room, if there are any left.
    pub(crate) fn queue_behind_held(&mut self) {
        self.held.is_crowded = !self.held.for_room.is_empty();
    }

    /// The next socket whose budget is consumed.
    pub(crate) fn next_with_budget(&mut self) -> Option<u32> {
        if !self.has_budget() {
            return None;
        }
        self.held.for_budget.pop_front().map(|(slot, _)| slot)
    }

    /// Whether the budget of any held socket is consumed.
    pub(crate) fn has_budget(&mut self) -> bool {
        match self.held.for_budget.front() {
            Some((_, position)) => self.ring.is_consumed(*position),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Credit, Until};
    use crate::inbound::testing;

    #[test]
    fn while_sockets_wait_for_room_others_wait_behind_them() {
        let (mut inbound, _consumer) = testing::inbound(1 << 16);
        let [mut first, mut second, mut other] = [(); 3].map(|()| Credit::default());
        assert_eq!(other.blocks(&mut inbound), None);
        inbound.hold(1, Until::Room, &mut first);
        inbound.hold(2, Until::Room, &mut second);
        // There is room, but not for those who come later.
        assert_eq!(other.blocks(&mut inbound), Some(Until::Room));
        // A turn begins: the first may read, and then the others are behind the second.
        assert_eq!(inbound.next_with_room(), Some(1));
        assert_eq!(first.blocks(&mut inbound), None);
        inbound.queue_behind_held();
        assert_eq!(other.blocks(&mut inbound), Some(Until::Room));
        assert_eq!(inbound.next_with_room(), Some(2));
        assert_eq!(second.blocks(&mut inbound), None);
        inbound.queue_behind_held();
        assert_eq!(other.blocks(&mut inbound), None);
        assert!(!inbound.holds_any());
    }

    #[test]
    fn a_socket_is_held_once_until_it_is_released() {
        let (mut inbound, _consumer) = testing::inbound(1 << 16);
        let mut credit = Credit::default();
        for _ in 0..2 {
            inbound.hold(1, Until::Room, &mut credit);
            inbound.hold(1, Until::Room, &mut credit);
            assert_eq!(inbound.held_for_room(), 1);
            assert_eq!(inbound.next_with_room(), Some(1));
            credit.release();
        }
    }

    #[test]
    fn a_socket_that_used_up_its_budget_waits_until_the_user_consumed_it() {
        let (mut inbound, mut consumer) = testing::inbound(1 << 16);
        let label = millrace_ring::record::Label { slot: 1, generation: 0, kind: 2 };
        let (mut credit, mut other) = (Credit::default(), Credit::default());
        assert!(inbound.data(label, &[], b"all of it"));
        let until = credit.use_up(&inbound);
        assert_eq!(credit.blocks(&mut inbound), Some(until));
        assert_eq!(other.blocks(&mut inbound), None, "it waits for the budget of another");
        inbound.hold(1, until, &mut credit);
        inbound.publish();
        assert!(inbound.holds_any() && !inbound.has_budget());
        assert_eq!(inbound.next_with_budget(), None);
        consumer.next();
        consumer.release();
        assert_eq!(inbound.next_with_budget(), Some(1));
        assert_eq!(credit.blocks(&mut inbound), None);
    }
}
