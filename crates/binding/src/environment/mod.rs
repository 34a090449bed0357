//! One JavaScript environment: its loops, the far ends of their rings, and its doorbell.

mod crossing;

pub(crate) use crossing::{commit, look};

use crate::control::{self, at};
use crate::datagram_entry::DatagramEntry;
use crate::raw::{DoorbellBell, Held, PumpRef, Watch, Words};
use millrace_reactor::{
    Bell, BoundListener, ConnectionOptions, DialOptions, Framing, Group, GroupError, LoopHandle,
    LoopRings, Service,
};
use millrace_ring::{RemoteConsumer, RemoteProducer};
use napi::bindgen_prelude::ArrayBuffer;
use napi::{Env, Error, Result};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

thread_local! {
    /// The environments of this thread. Node has one per thread; other runtimes may have several.
    static ENVIRONMENTS: RefCell<Vec<Option<Rc<Environment>>>> = const { RefCell::new(Vec::new()) };
}

/// A loop in its environment's list, with the far ends of its rings.
struct Loop {
    handle: LoopHandle,
    inbound: RemoteConsumer,
    outbound: RemoteProducer,
    group: usize,
    /// Declared after the ends, because a ring's memory has to go last.
    _memory: [Held; 2],
}

struct Member {
    group: Group,
    loops: Vec<usize>,
    inline: bool,
    /// When an inline loop wants its next turn.
    deadline: Option<Instant>,
    watch: Option<Watch>,
}

impl Member {
    /// The place in the group of a loop of the environment.
    fn place_of(&self, index: u32) -> Option<usize> {
        self.loops.iter().position(|each| *each == index as usize)
    }

    /// Stops Node's loop from watching the descriptor, which is about to close.
    fn unwatch(&mut self) {
        self.watch = None;
    }
}

pub(crate) struct Environment {
    handle: u32,
    bell: Arc<DoorbellBell>,
    pump: PumpRef,
    words: Words,
    loops: RefCell<Vec<Option<Loop>>>,
    groups: RefCell<Vec<Option<Member>>>,
    pub(crate) services: RefCell<Vec<Option<Arc<Service>>>>,
    pub(crate) bound: RefCell<Vec<Option<BoundListener>>>,
    pub(crate) profiles: RefCell<Vec<Option<(Framing, ConnectionOptions)>>>,
    pub(crate) datagrams: RefCell<Vec<Option<DatagramEntry>>>,
    closed: Cell<bool>,
}

/// The bell of an inline loop. It rings nobody: the caller of its turn looks afterwards.
#[derive(Debug)]
struct NoBell;

impl Bell for NoBell {
    fn ring(&self) {}
}

/// Puts a value into the first free place of a list. Returns the place.
pub(crate) fn place<T>(list: &mut Vec<Option<T>>, value: T) -> usize {
    match list.iter().position(Option::is_none) {
        Some(at) => {
            list[at] = Some(value);
            at
        }
        None => {
            list.push(Some(value));
            list.len() - 1
        }
    }
}

/// Converts a loop's place in its group; -1 is none.
pub(crate) fn lane_of(lane: i32) -> Option<usize> {
    usize::try_from(lane).ok()
}

fn gone(what: &str) -> Error {
    Error::from_reason(format!("there is no such {what}"))
}

/// The code of an error: one of millrace's codes, or a system's name such as `EMFILE`.
pub(crate) type Code = String;

/// Passes on an error of Node-API unchanged.
pub(crate) fn plain(error: Error) -> Error<Code> {
    Error::new(error.status.as_ref().to_owned(), error.reason.clone())
}

fn group_error(error: &GroupError) -> Error<Code> {
    let code = match error {
        GroupError::Io(error) => millrace_sys::error_name(error.raw_os_error().unwrap_or(0)),
        _ => "ERR_INVALID_OPTION",
    };
    Error::new(code.to_owned(), error.to_string())
}

/// Finds an environment by its number.
pub(crate) fn find(handle: u32) -> Result<Rc<Environment>> {
    ENVIRONMENTS.with_borrow(|list| {
        list.get(handle as usize).and_then(Clone::clone).ok_or_else(|| gone("environment"))
    })
}

/// Opens an environment, which ends with the JavaScript environment. `pump` takes its records.
pub(crate) fn open(env: &Env, pump: PumpRef, words: &ArrayBuffer<'_>) -> Result<u32> {
    let words = Words::new(env, words, control::WORDS)?;
    let handle = ENVIRONMENTS.with_borrow_mut(place_none) as u32;
    // Before the hook is added: hooks run in reverse order, so our hook, which joins the loops, runs
    // before Node's, which closes the threadsafe function.
    let bell = Arc::new(DoorbellBell::new(env, &pump, handle)?);
    let environment = Environment {
        handle,
        bell,
        pump,
        words,
        loops: RefCell::default(),
        groups: RefCell::default(),
        services: RefCell::default(),
        bound: RefCell::default(),
        profiles: RefCell::default(),
        datagrams: RefCell::default(),
        closed: Cell::new(false),
    };
    ENVIRONMENTS.with_borrow_mut(|list| list[handle as usize] = Some(Rc::new(environment)));
    env.add_env_cleanup_hook(handle, |handle| {
        let taken = ENVIRONMENTS.with_borrow_mut(|list| list[handle as usize].take());
        if let Some(environment) = taken {
            environment.close();
        }
    })?;
    Ok(handle)
}

fn place_none(list: &mut Vec<Option<Rc<Environment>>>) -> usize {
    // A number is not used again, so that a late callback of a closed environment finds nothing.
    list.push(None);
    list.len() - 1
}

impl Environment {
    pub(crate) fn keep_alive(&self, env: &Env, keep: bool) {
        self.bell.keep_alive(env, keep);
    }

    /// Starts a group with a loop for each pair of rings, inbound and outbound. Returns the numbers of the
    /// group and of its loops.
    pub(crate) fn start_group(
        &self,
        env: &Env,
        rings: &[ArrayBuffer<'_>],
        inline: bool,
    ) -> Result<(u32, Vec<u32>), Code> {
        let mut near = Vec::new();
        let mut far = Vec::new();
        for pair in rings.chunks_exact(2) {
            let (held_in, memory_in) = Held::ring(env, &pair[0]).map_err(plain)?;
            let (held_out, memory_out) = Held::ring(env, &pair[1]).map_err(plain)?;
            let (producer, remote_consumer) = millrace_ring::inbound(memory_in);
            let (remote_producer, consumer) = millrace_ring::outbound(memory_out);
            near.push(LoopRings { inbound: producer, outbound: consumer });
            far.push((remote_consumer, remote_producer, [held_in, held_out]));
        }
        let free = control::MAX_LOOPS - self.loops.borrow().iter().flatten().count();
        if far.len() > free {
            let reason = format!("an environment has at most {} loops", control::MAX_LOOPS);
            return Err(Error::new("ERR_INVALID_OPTION".to_owned(), reason));
        }
        let group = if inline {
            let rings = near.pop().ok_or_else(|| plain(gone("ring")))?;
            let bell: Arc<dyn Bell> = Arc::new(NoBell);
            Group::inline(rings, &bell)
        } else {
            let bell: Arc<dyn Bell> = self.bell.clone();
            Group::start(near, &bell)
        };
        let group = group.map_err(|error| group_error(&error))?;
        let mut groups = self.groups.borrow_mut();
        let number = groups.iter().position(Option::is_none).unwrap_or(groups.len());
        let watch = match group.descriptor() {
            Some(descriptor) => {
                let whose = (self.handle, number as u32);
                let watch = Watch::start(env, descriptor, whose, crossing::turn_from_uv);
                Some(watch.ok_or_else(|| {
                    let reason = "inline loops need libuv, which this runtime does not have";
                    Error::new("ERR_INLINE_UNSUPPORTED".to_owned(), reason.to_owned())
                })?)
            }
            None => None,
        };
        let mut numbers = Vec::new();
        for (handle, (inbound, outbound, memory)) in group.loops().iter().cloned().zip(far) {
            let entry = Loop { handle, inbound, outbound, group: number, _memory: memory };
            let index = place(&mut self.loops.borrow_mut(), entry);
            for word in 0..8 {
                self.words.set(at(index, word), 0);
            }
            numbers.push(index);
        }
        let member = Member { group, loops: numbers.clone(), inline, deadline: None, watch };
        place(&mut groups, member);
        Ok((number as u32, numbers.into_iter().map(|index| index as u32).collect()))
    }

    /// Stops a group and gives up its rings.
    pub(crate) fn stop_group(&self, group: u32) {
        let member = self.groups.borrow_mut().get_mut(group as usize).and_then(Option::take);
        if let Some(mut member) = member {
            member.unwatch();
            member.group.stop();
            let loops = std::mem::take(&mut member.loops);
            drop(member);
            for index in loops {
                self.loops.borrow_mut()[index] = None;
            }
        }
    }

    pub(crate) fn listen(&self, group: u32, lane: i32, bound: BoundListener) -> Result<(), Code> {
        let mut groups = self.groups.borrow_mut();
        let member = groups.get_mut(group as usize).and_then(Option::as_mut);
        let member = member.ok_or_else(|| plain(gone("group")))?;
        member.group.listen(bound, lane_of(lane)).map_err(|error| group_error(&error))
    }

    pub(crate) fn close_listener(&self, group: u32, lane: i32, listener: u32) {
        self.with_group(group, |group| group.close_listener(lane_of(lane), listener));
    }

    /// Does something with a group, if it still exists.
    pub(crate) fn with_group(&self, group: u32, order: impl FnOnce(&Group)) {
        if let Some(Some(member)) = self.groups.borrow().get(group as usize) {
            order(&member.group);
        }
    }

    /// Connects on the given loop of the group, or on any. Returns the loop's number; `None` if no loop is
    /// alive.
    pub(crate) fn connect(
        &self,
        group: u32,
        index: Option<u32>,
        options: DialOptions,
    ) -> Result<Option<u32>> {
        let groups = self.groups.borrow();
        let member = groups.get(group as usize).and_then(Option::as_ref);
        let member = member.ok_or_else(|| gone("group"))?;
        let at =
            index.map(|index| member.place_of(index).ok_or_else(|| gone("loop"))).transpose()?;
        Ok(member.group.connect(at, options).map(|at| member.loops[at] as u32))
    }

    pub(crate) fn cancel_connect(&self, group: u32, index: u32, number: u32) {
        if let Some(Some(member)) = self.groups.borrow().get(group as usize)
            && let Some(at) = member.place_of(index)
        {
            member.group.cancel_connect(at, number);
        }
    }

    /// The bytes that a connection has sent (the low 32 bits) and received; `None` once it is gone.
    pub(crate) fn counts(&self, index: u32, slot: u32, generation: u32) -> Option<(u32, u64)> {
        let loops = self.loops.borrow();
        let entry = loops.get(index as usize)?.as_ref()?;
        Some((entry.handle.sent(slot, generation)?, entry.handle.received(slot, generation)?))
    }

    /// The bytes that a connection was passed on from the other side of its pipe and that wait to be sent.
    pub(crate) fn relayed(&self, index: u32, slot: u32, generation: u32) -> Option<u64> {
        let loops = self.loops.borrow();
        loops.get(index as usize)?.as_ref()?.handle.relayed(slot, generation)
    }

    pub(crate) fn handle_of(&self, index: u32) -> Result<LoopHandle> {
        let loops = self.loops.borrow();
        let entry = loops.get(index as usize).and_then(Option::as_ref);
        Ok(entry.ok_or_else(|| gone("loop"))?.handle.clone())
    }

    /// Finds a profile: the settings of connections.
    pub(crate) fn profile(&self, number: u32) -> Result<(Framing, ConnectionOptions)> {
        let profiles = self.profiles.borrow();
        let profile = profiles.get(number as usize).and_then(Option::as_ref);
        profile.cloned().ok_or_else(|| gone("profile"))
    }

    /// Stops all loops because the process is about to exit. What the rings hold is offered to the kernel once.
    pub(crate) fn shut_down(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut all = true;
        for member in self.groups.borrow_mut().iter_mut().flatten() {
            member.unwatch();
            all &= member.group.stop_within(deadline.saturating_duration_since(Instant::now()));
        }
        if !all {
            // A loop still runs and ends with the process; it must not ring.
            self.bell.silence();
        }
    }

    /// Ends the environment: joins the loops, then releases the threadsafe function, then (when this is
    /// dropped) the rings.
    fn close(&self) {
        if self.closed.replace(true) {
            return;
        }
        let groups = self.groups.borrow().len();
        for group in 0..groups {
            self.stop_group(group as u32);
        }
        self.bound.borrow_mut().clear();
        self.datagrams.borrow_mut().clear();
        if let Some(silenced) = self.bell.silence() {
            silenced.release();
        }
    }
}
