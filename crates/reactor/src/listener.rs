//! A listening socket: how it is made, and accepting from it, which survives what accepting meets.

use crate::balance::Balance;
use crate::framing::Framing;
use crate::shared::Alarm;
use millrace_sys::AcceptError;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// The first wait after descriptors or memory ran out, and the longest: it doubles between.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What the connections of a listener are held to.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Output over this many bytes pauses reading, where `auto_pause` says so; half of it resumes.
    pub high_water: usize,
    /// Stop reading a connection whose output is over `high_water`.
    pub auto_pause: bool,
    /// Keep the connection after the peer's FIN, and deliver messages after our own.
    pub allow_half_open: bool,
    /// How long an ended connection may take to flush and to see the peer's FIN.
    pub linger: Duration,
    /// Switch Nagle's algorithm off.
    pub no_delay: bool,
}

/// How to listen.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// A number of the user's choice, which stands in every `OPEN`.
    pub id: u32,
    /// Where; port 0 takes any.
    pub address: SocketAddr,
    /// Take IPv4 on an IPv6 address too.
    pub dual_stack: bool,
    /// How many connections the kernel may hold ready.
    pub backlog: i32,
    /// What a stream is cut into.
    pub framing: Framing,
    /// What its connections are held to.
    pub limits: Limits,
}

/// What the listeners of one server share.
#[derive(Debug)]
pub struct Service {
    pub(crate) balance: Balance,
    max: usize,
    refuse: bool,
    open: AtomicUsize,
    /// Accepting waits for a connection of this server to close.
    blocked: AtomicBool,
    /// Whoever accepts for this server.
    accepting: OnceLock<Arc<Alarm>>,
}

impl Service {
    /// A server whose connections are spread by `balance`. At `max` open connections it stops
    /// accepting, or with `refuse` accepts and closes; 0 is no limit.
    #[must_use]
    pub fn new(balance: Balance, max: usize, refuse: bool) -> Arc<Self> {
        Arc::new(Self {
            balance,
            max: if max == 0 { usize::MAX } else { max },
            refuse,
            open: AtomicUsize::new(0),
            blocked: AtomicBool::new(false),
            accepting: OnceLock::new(),
        })
    }

    pub(crate) fn accepted_by(&self, alarm: &Arc<Alarm>) {
        let _ = self.accepting.set(alarm.clone());
    }

    /// A connection is gone: whoever waits to accept may try again.
    pub(crate) fn release(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
        // ORDER: the count before the flag, against the flag before the count in `block`.
        fence(Ordering::SeqCst);
        if self.blocked.swap(false, Ordering::AcqRel)
            && let Some(alarm) = self.accepting.get()
        {
            alarm.ring();
        }
    }

    fn is_full(&self) -> bool {
        self.open.load(Ordering::Acquire) >= self.max
    }

    /// Asks to be woken at the next close; true if there is still reason to wait.
    fn block(&self) -> bool {
        self.blocked.store(true, Ordering::Release);
        // ORDER: see `release`.
        fence(Ordering::SeqCst);
        self.is_full()
    }
}

/// What a connection needs to know of where it came in.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) id: u32,
    pub(crate) framing: Framing,
    pub(crate) limits: Limits,
    pub(crate) service: Arc<Service>,
}

/// A socket that listens, and that nobody accepts from yet.
#[derive(Debug)]
pub struct Bound {
    socket: TcpListener,
    local: SocketAddr,
    pub(crate) listener: Arc<Listener>,
}

impl Bound {
    /// Binds and listens.
    ///
    /// # Errors
    /// Those of the system, such as `EADDRINUSE`.
    pub fn new(options: ListenOptions, service: &Arc<Service>) -> io::Result<Self> {
        let address = options.address;
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        millrace_sys::prepare_listener(&socket)?;
        if address.is_ipv6() {
            socket.set_only_v6(!options.dual_stack)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(options.backlog)?;
        let socket = TcpListener::from_std(socket.into());
        let local = socket.local_addr()?;
        let listener = Listener {
            id: options.id,
            framing: options.framing,
            limits: options.limits,
            service: service.clone(),
        };
        Ok(Self { socket, local, listener: Arc::new(listener) })
    }

    /// The address it is bound to, with the port that the system chose.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        self.local
    }
}

/// Takes what a listener accepts.
pub(crate) trait Sink {
    /// False while nothing more can be taken.
    fn has_room(&mut self) -> bool;
    /// For the last sweep of a listener, which cannot come back later: waits for room; false to
    /// give up.
    fn wait(&mut self) -> bool;
    /// A connection, counted in its service.
    fn accept(&mut self, stream: TcpStream, peer: SocketAddr, listener: &Arc<Listener>);
    /// Accepting fails; told once an episode.
    fn fail(&mut self, listener: u32, errno: i32);
}

/// A listener that is accepted from.
#[derive(Debug)]
pub(crate) struct Accepting {
    bound: Bound,
    /// The kernel may have connections: set by its edge, cleared by `WouldBlock`.
    ready: bool,
    retry: Option<Instant>,
    wait: Duration,
    /// The user was told that accepting fails, and connections have been waiting ever since.
    failing: bool,
}

impl Accepting {
    pub(crate) fn start(mut bound: Bound, registry: &Registry, token: Token) -> io::Result<Self> {
        registry.register(&mut bound.socket, token, Interest::READABLE)?;
        Ok(Self { bound, ready: false, retry: None, wait: BACK_OFF.0, failing: false })
    }

    pub(crate) fn id(&self) -> u32 {
        self.bound.listener.id
    }

    pub(crate) fn note_event(&mut self) {
        self.ready = true;
    }

    /// Someone closed a connection, or the time to wait is over: try again.
    pub(crate) fn retry_at(&self) -> Option<Instant> {
        self.retry
    }

    /// True if a call of [`sweep`](Self::sweep) would try to accept now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.ready && self.retry.is_none_or(|at| at <= now || !self.is_blocked())
    }

    fn is_blocked(&self) -> bool {
        self.bound.listener.service.blocked.load(Ordering::Acquire)
    }

    /// Accepts at most `limit` connections; true if there may be more at once.
    pub(crate) fn sweep(&mut self, now: Instant, limit: usize, sink: &mut dyn Sink) -> bool {
        let service = self.bound.listener.service.clone();
        for _ in 0..limit {
            if !self.ready {
                return false;
            }
            if !sink.has_room() {
                return true;
            }
            if service.is_full() && !service.refuse && service.block() {
                // A close rings; the far-off time only keeps this listener out of `is_due`.
                self.retry = Some(now + Duration::from_secs(3600));
                return false;
            }
            match self.bound.socket.accept() {
                Ok((stream, peer)) => {
                    self.retry = None;
                    self.wait = BACK_OFF.0;
                    if service.is_full() {
                        continue; // refused: dropping the stream closes it
                    }
                    service.open.fetch_add(1, Ordering::AcqRel);
                    sink.accept(stream, peer, &self.bound.listener);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.ready = false;
                    self.retry = None;
                    self.failing = false;
                }
                Err(error) => match millrace_sys::accept_error(&error) {
                    AcceptError::Next => {}
                    AcceptError::BackOff => {
                        self.back_off(now, &error, sink);
                        return false;
                    }
                },
            }
        }
        self.ready
    }

    /// The edge does not come again, so it is tried again by time and at every close.
    fn back_off(&mut self, now: Instant, error: &io::Error, sink: &mut dyn Sink) {
        if !mem::replace(&mut self.failing, true) {
            sink.fail(self.id(), error.raw_os_error().unwrap_or(0));
        }
        self.retry = Some(now + self.wait);
        self.wait = (self.wait * 2).min(BACK_OFF.1);
        self.bound.listener.service.block();
    }

    /// Takes what the kernel still holds, and closes.
    pub(crate) fn close(mut self, now: Instant, registry: &Registry, sink: &mut dyn Sink) {
        self.ready = true;
        self.retry = None;
        while self.sweep(now, usize::MAX, sink) && sink.wait() {}
        // Closing it right after takes it off an epoll set by itself; an error changes nothing.
        let _ = registry.deregister(&mut self.bound.socket);
    }
}
