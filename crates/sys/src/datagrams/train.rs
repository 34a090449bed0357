//! Trains: several datagrams of one sender that came in one piece.

/// What came in one piece: consecutive datagrams of one size, of which the last may be shorter, or a single
/// datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Train {
    /// Bytes that were received.
    pub(super) length: usize,
    /// The size of each datagram; `None` if there is only one.
    pub(super) size: Option<usize>,
    /// More bytes came than there was room for.
    pub(super) is_truncated: bool,
}

/// Where a datagram is in its train.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Car {
    pub(super) start: usize,
    pub(super) length: usize,
    pub(super) is_truncated: bool,
}

impl Train {
    /// Lists its datagrams, each cut at `max`.
    pub(super) fn cars(self, max: usize) -> impl Iterator<Item = Car> {
        let Self { length, size: each, is_truncated } = self;
        let size = each.unwrap_or(length);
        // An empty datagram is a datagram, too.
        let count = if length == 0 { 1 } else { length.div_ceil(size) };
        (0..count).map(move |at| {
            let start = at * size;
            let whole = size.min(length - start);
            // A train loses its end, so at most the last datagram is not whole.
            let is_last = start + whole == length;
            let is_cut = is_truncated && is_last && (each.is_none() || whole < size);
            Car { start, length: whole.min(max), is_truncated: whole > max || is_cut }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Car, Train};

    fn cars(length: usize, size: Option<usize>, is_truncated: bool, max: usize) -> Vec<Car> {
        Train { length, size, is_truncated }.cars(max).collect()
    }

    fn car(start: usize, length: usize, is_truncated: bool) -> Car {
        Car { start, length, is_truncated }
    }

    #[test]
    fn a_single_datagram_stays_one_whatever_its_size() {
        assert_eq!(cars(0, None, false, 10), [car(0, 0, false)]);
        assert_eq!(cars(10, None, false, 10), [car(0, 10, false)]);
        assert_eq!(
            cars(11, None, false, 10),
            [car(0, 10, true)],
            "room for more, and cut at `max`"
        );
        assert_eq!(cars(10, None, true, 10), [car(0, 10, true)], "cut by the kernel");
        assert_eq!(cars(5, Some(5), false, 10), [car(0, 5, false)]);
    }

    #[test]
    fn a_train_is_cut_into_its_datagrams_and_each_of_them_at_max() {
        let wanted = [car(0, 4, false), car(4, 4, false), car(8, 1, false)];
        assert_eq!(cars(9, Some(4), false, 4), wanted);
        assert_eq!(
            cars(9, Some(4), false, 3),
            [car(0, 3, true), car(4, 3, true), car(8, 1, false)]
        );
        assert_eq!(cars(8, Some(4), false, 9), [car(0, 4, false), car(4, 4, false)]);
    }

    #[test]
    fn the_lost_end_of_a_train_is_not_taken_for_a_datagram() {
        assert_eq!(cars(7, Some(4), true, 9), [car(0, 4, false), car(4, 3, true)]);
        // The kernel cut the train between two datagrams, so these are whole.
        assert_eq!(cars(8, Some(4), true, 9), [car(0, 4, false), car(4, 4, false)]);
        assert_eq!(cars(4, Some(4), true, 9), [car(0, 4, false)]);
        assert_eq!(cars(3, Some(4), true, 9), [car(0, 3, true)]);
    }

    #[test]
    fn every_byte_of_a_train_is_in_one_of_its_datagrams() {
        for length in 1..200 {
            for size in 1..70 {
                let cars = cars(length, Some(size), false, usize::MAX);
                let mut end = 0;
                for car in &cars {
                    assert_eq!(car.start, end);
                    assert!(car.length > 0 && car.length <= size);
                    end += car.length;
                }
                assert_eq!(end, length);
                assert!(cars[..cars.len() - 1].iter().all(|car| car.length == size));
            }
        }
    }
}
