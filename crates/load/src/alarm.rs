//! Waking up when the next message is due, more precisely than with mio's timeout.

use std::io;
use std::time::Duration;

use mio::Registry;

/// Wakes an event loop that polls with the same timeout. For epoll, mio rounds the timeout up to milliseconds;
/// a timerfd is exact. Other back ends take the timeout as it is.
#[derive(Debug)]
pub struct Alarm {
    #[cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]
    timer: std::os::fd::OwnedFd,
}

#[cfg(all(target_os = "linux", not(mio_unsupported_force_poll_poll)))]
impl Alarm {
    /// Makes an alarm that is not set; its events carry the largest token.
    pub fn new(registry: &Registry) -> io::Result<Self> {
        use std::os::fd::AsRawFd;

        use mio::unix::SourceFd;
        use mio::{Interest, Token};
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let token = Token(usize::MAX);
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Self { timer })
    }

    /// Sets the alarm. An expiry needs no read: the event is edge-triggered, and setting the timer again clears
    /// it. A time of zero unsets the alarm, because the poll does not wait then.
    pub fn set(&self, after: Duration) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        let it_value = Timespec {
            tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: after.subsec_nanos().into(),
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let once = Itimerspec { it_interval, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        Ok(())
    }
}

#[cfg(not(all(target_os = "linux", not(mio_unsupported_force_poll_poll))))]
impl Alarm {
    /// Makes an alarm that does nothing.
    pub fn new(_registry: &Registry) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Does nothing, because the timeout is enough.
    pub fn set(&self, _after: Duration) -> io::Result<()> {
        Ok(())
    }
}
