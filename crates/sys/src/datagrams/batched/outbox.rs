//! Sending with `sendmmsg(2)`, with runs of datagrams in one message (`UDP_SEGMENT`).

use crate::datagrams::control::{Control, Message};
use crate::datagrams::{Outgoing, SENT_AT_ONCE, local};
use crate::unix::number;
use socket2::{SockAddr, Socket};
use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd;

/// `UDP_SEGMENT`, which not every libc defines.
const UDP_SEGMENT: libc::c_int = 103;
/// The longest datagrams that are passed to the kernel in runs: every network path takes them whole.
const LONGEST_SEGMENT: usize = 1400;
/// The most datagrams, and bytes, in one run.
const SEGMENTS: usize = 64;
const SEGMENTED_BYTES: usize = 65_000;

/// What sending needs beside the datagrams, kept between calls.
#[derive(Debug, Default)]
pub struct Outbox {
    names: Vec<SockAddr>,
    controls: Vec<Control>,
    /// Whether the kernel takes runs; `None` until it was asked.
    segments: Option<bool>,
}

impl Outbox {
    /// Makes an empty outbox.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends the first of these datagrams, as many as one call and the kernel take. Returns how many, at least
    /// one. A run to one peer, of one size apart from a shorter last datagram, passes the kernel's network
    /// stack as one message (`UDP_SEGMENT`), and leaves it as single datagrams. All of a run leave from one source.
    ///
    /// # Errors
    /// Those of `sendmmsg(2)` for the first datagram.
    pub fn send(&mut self, socket: &Socket, datagrams: &[Outgoing<'_>]) -> io::Result<usize> {
        let datagrams = &datagrams[..datagrams.len().min(SENT_AT_ONCE)];
        if !*self.segments.get_or_insert_with(|| has_segments(socket)) {
            let result = self.send_runs(socket, datagrams, |_| 1);
            return result.map_err(|error| explained(error, datagrams));
        }
        let result = match self.send_runs(socket, datagrams, run) {
            Err(error) if run(datagrams) > 1 && is_refusal(&error) => {
                // A device that computes no checksums will refuse later runs, too.
                if error.raw_os_error() == Some(libc::EIO) {
                    self.segments = Some(false);
                }
                self.send_runs(socket, &datagrams[..run(datagrams)], |_| 1)
            }
            result => result,
        };
        result.map_err(|error| explained(error, datagrams))
    }

    /// Sends runs, each as one message; `length` says how long each run is.
    fn send_runs(
        &mut self,
        socket: &Socket,
        datagrams: &[Outgoing<'_>],
        length: impl Fn(&[Outgoing<'_>]) -> usize,
    ) -> io::Result<usize> {
        self.names.clear();
        // Room for every datagram, so that none moves while messages point to it.
        self.names.reserve(datagrams.len());
        self.controls.clear();
        self.controls.reserve(datagrams.len());
        // SAFETY: all zeros is a value of this plain C struct, and of an array of it.
        let mut vectors: [libc::iovec; SENT_AT_ONCE] = unsafe { zeroed() };
        // SAFETY: likewise; its pointers are set below, its lengths are 0 until then.
        let mut messages: [libc::mmsghdr; SENT_AT_ONCE] = unsafe { zeroed() };
        let mut runs = [0; SENT_AT_ONCE];
        for (datagram, vector) in datagrams.iter().zip(vectors.iter_mut()) {
            vector.iov_base = datagram.bytes.as_ptr().cast_mut().cast();
            vector.iov_len = datagram.bytes.len();
        }
        let (mut at, mut count) = (0, 0);
        while at < datagrams.len() {
            let first = &datagrams[at];
            let run = length(&datagrams[at..]);
            let header = &mut messages[count].msg_hdr;
            if let Some(to) = first.to {
                self.names.push(to.into());
                if let Some(name) = self.names.last() {
                    header.msg_name = name.as_ptr().cast_mut().cast();
                    header.msg_namelen = name.len();
                }
            }
            header.msg_iov = &raw mut vectors[at];
            header.msg_iovlen = run as _;
            if run > 1 || first.source.is_some() {
                let mut control = Control::EMPTY;
                let mut used = 0;
                if let Some(source) = first.source {
                    used = local::message(&mut control, source);
                }
                if run > 1 {
                    let value = &(first.bytes.len() as u16).to_ne_bytes();
                    let (level, kind) = (libc::IPPROTO_UDP, UDP_SEGMENT);
                    used = control.push(used, Message { level, kind, value });
                }
                self.controls.push(control);
                if let Some(control) = self.controls.last_mut() {
                    header.msg_control = control.room().as_mut_ptr().cast();
                    header.msg_controllen = used as _;
                }
            }
            runs[count] = run;
            at += run;
            count += 1;
        }
        // SAFETY: the descriptor is open as long as `socket` is borrowed; the messages point to names,
        // vectors, controls and bytes that outlive the call, of the lengths they say, and which the kernel
        // only reads.
        let result = unsafe {
            libc::syscall(
                libc::SYS_sendmmsg,
                socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count,
                libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            )
        };
        let sent = usize::try_from(result).map_err(|_| io::Error::last_os_error())?;
        Ok(runs[..sent].iter().sum())
    }
}

/// How many of the first datagrams can be sent as one run.
fn run(datagrams: &[Outgoing<'_>]) -> usize {
    let Some(first) = datagrams.first() else { return 0 };
    let size = first.bytes.len();
    if size == 0 || size > LONGEST_SEGMENT {
        return 1;
    }
    let most = SEGMENTS.min(SEGMENTED_BYTES / size);
    let mut length = 1;
    for next in &datagrams[1..] {
        let is_same_way = next.to == first.to && next.source == first.source;
        if length == most || !is_same_way || next.bytes.is_empty() || next.bytes.len() > size {
            break;
        }
        length += 1;
        // A shorter datagram ends the run.
        if next.bytes.len() < size {
            break;
        }
    }
    length
}

/// Whether the kernel supports segments: an older one would send the whole run as one datagram.
fn has_segments(socket: &Socket) -> bool {
    number(socket, libc::IPPROTO_UDP, UDP_SEGMENT).is_ok()
}

/// The error of the first datagram. For a source that is no address of this machine any more, Linux says `EINVAL`;
/// this says `EADDRNOTAVAIL`, as `bind(2)` does. (For IPv4, newer kernels say `ENETUNREACH`, which stays.)
fn explained(error: io::Error, datagrams: &[Outgoing<'_>]) -> io::Error {
    let is_of_source = datagrams.first().is_some_and(|first| {
        // The other reason for `EINVAL` is a port that nobody can have.
        first.source.is_some() && first.to.is_some_and(|to| to.port() != 0)
    });
    match error.raw_os_error() {
        Some(libc::EINVAL) if is_of_source => io::Error::from_raw_os_error(libc::EADDRNOTAVAIL),
        _ => error,
    }
}

/// Whether the kernel may have refused the run itself, and not its datagrams.
fn is_refusal(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE))
}
