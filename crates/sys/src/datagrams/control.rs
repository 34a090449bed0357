//! Control messages: what the kernel says of a datagram, or is told, beside its address and its bytes.

use std::mem::size_of;

/// Messages begin at multiples of this.
const ALIGNMENT: usize = if cfg!(target_vendor = "apple") { 4 } else { size_of::<usize>() };
/// Bytes before a value.
const HEADER: usize = size_of::<libc::cmsghdr>().next_multiple_of(ALIGNMENT);
/// Enough for all that is asked for: the size of a train, and a local address in both families.
const ROOM: usize = 96;

/// Room for the control messages of one datagram.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(8))]
pub(super) struct Control([u8; ROOM]);

/// One control message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) level: libc::c_int,
    pub(super) kind: libc::c_int,
    pub(super) value: &'a [u8],
}

impl Control {
    pub(super) const EMPTY: Self = Self([0; ROOM]);

    /// The whole of its room.
    pub(super) fn room(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Adds a message behind the first `used` bytes, and returns how many are used then.
    pub(super) fn push(&mut self, used: usize, message: Message<'_>) -> usize {
        let Message { level, kind, value } = message;
        let length = HEADER + value.len();
        let end = used + length.next_multiple_of(ALIGNMENT);
        let room = &mut self.0[used..end];
        room.fill(0);
        room[HEADER..length].copy_from_slice(value);
        // SAFETY: all zeros is a value of this plain C struct, which has padding on some systems.
        let mut header: libc::cmsghdr = unsafe { std::mem::zeroed() };
        header.cmsg_len = length as _;
        header.cmsg_level = level;
        header.cmsg_type = kind;
        // SAFETY: `room` has at least `HEADER` bytes, which is the size of a header or more.
        unsafe { room.as_mut_ptr().cast::<libc::cmsghdr>().write_unaligned(header) };
        end
    }

    /// The messages in the first `used` bytes.
    pub(super) fn messages(&self, used: usize) -> impl Iterator<Item = Message<'_>> {
        let mut rest = &self.0[..used.min(ROOM)];
        std::iter::from_fn(move || {
            if rest.len() < HEADER {
                return None;
            }
            // SAFETY: there are `HEADER` bytes, which is the size of a header or more, and any bytes are one.
            let header = unsafe { rest.as_ptr().cast::<libc::cmsghdr>().read_unaligned() };
            let length: usize = header.cmsg_len as _;
            let value = rest.get(HEADER..length)?;
            rest = rest.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
            Some(Message { level: header.cmsg_level, kind: header.cmsg_type, value })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Control, Message, ROOM};

    #[test]
    fn messages_come_back_as_they_were_added() {
        let mut control = Control::EMPTY;
        let all = [(1, 2, &[1, 2, 3, 4][..]), (3, 4, &[5; 12]), (5, 6, &[6; 20])];
        let mut used = 0;
        for (level, kind, value) in all {
            used = control.push(used, Message { level, kind, value });
        }
        assert!(used <= ROOM);
        let seen: Vec<_> = control.messages(used).map(|m| (m.level, m.kind, m.value)).collect();
        assert_eq!(seen, all);
        assert_eq!(control.messages(0).count(), 0);
    }

    #[test]
    fn bytes_that_are_no_messages_end_the_list() {
        let mut control = Control::EMPTY;
        assert_eq!(control.messages(ROOM).count(), 0, "a length of 0");
        control.room().fill(255);
        assert_eq!(control.messages(ROOM).count(), 0, "a length over the room");
        let used = control.push(0, Message { level: 1, kind: 2, value: &[1; 8] });
        assert_eq!(control.messages(used - 1).count(), 0, "cut");
        assert_eq!(control.messages(used + 3).count(), 1);
    }
}
