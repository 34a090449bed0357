//! The functions that `lib/native/binding.ts` imports.

use crate::dial::DialInit;
use crate::environment::{self, Code, find, place, plain};
use crate::listen::{BindResult, FramingInit, ListenInit, ProfileInit, socket_options};
use crate::raw::{PumpRef, committer};
use millrace_reactor::{Balance, BoundListener, Service, socket_option};
use napi::bindgen_prelude::{ArrayBuffer, Buffer, Function, Uint8Array};
use napi::{Env, Error, JsValue, Result};
use napi_derive::napi;
use std::time::Duration;

/// An open environment.
#[napi(object, object_from_js = false)]
pub struct Opened<'env> {
    /// The environment's number in all other calls.
    pub number: u32,
    /// Takes the ring positions from the control words, wakes the loops concerned, and writes the loops'
    /// positions into the control words. With `REST` in the control words the pump is called again when there
    /// is something to do, unless `NEWS` reports that at once.
    pub commit: Function<'env, (), ()>,
}

/// Opens an environment for this JavaScript environment. `pump` is called, with the control words up to
/// date, whenever there is something in the rings.
#[napi]
pub fn open_environment<'env>(
    env: &'env Env,
    pump: Function<'_, (), ()>,
    control: ArrayBuffer<'_>,
) -> Result<Opened<'env>> {
    let pump = PumpRef::new(env, pump.value().value)?;
    let number = environment::open(env, pump, &control)?;
    Ok(Opened { number, commit: committer(env, number)? })
}

/// A group of loops.
#[napi(object)]
pub struct GroupInfo {
    pub number: u32,
    pub loops: Vec<u32>,
}

/// Starts a loop for each pair of rings (inbound, outbound). With `inline` there is one loop, without a
/// thread.
#[napi]
pub fn start_group(
    env: Env,
    environment: u32,
    rings: Vec<ArrayBuffer<'_>>,
    inline: bool,
) -> Result<GroupInfo, Code> {
    let (number, loops) = find(environment).map_err(plain)?.start_group(&env, &rings, inline)?;
    Ok(GroupInfo { number, loops })
}

/// Stops the loops of a group, drops their connections, and waits for their threads.
#[napi]
pub fn stop_group(environment: u32, group: u32) -> Result<()> {
    find(environment)?.stop_group(group);
    Ok(())
}

/// Creates a service: what the listeners of one server share.
#[napi]
pub fn create_service(environment: u32, balance: String, max: u32, refuse: bool) -> Result<u32> {
    let balance = match balance.as_str() {
        "round-robin" => Balance::RoundRobin,
        "source-hash" => Balance::SourceHash,
        "least-connections" => Balance::LeastConnections,
        other => return Err(Error::from_reason(format!("there is no balancer '{other}'"))),
    };
    let service = Service::new(balance, max as usize, refuse);
    Ok(place(&mut find(environment)?.services.borrow_mut(), service) as u32)
}

/// Forgets a service whose server is closed.
#[napi]
pub fn drop_service(environment: u32, service: u32) -> Result<()> {
    if let Some(entry) = find(environment)?.services.borrow_mut().get_mut(service as usize) {
        *entry = None;
    }
    Ok(())
}

/// Returns what is wrong with a framing, if anything is.
#[napi]
pub fn check_framing(framing: FramingInit) -> Option<String> {
    framing.framing().err().map(|error| error.reason.clone())
}

/// A stream that was cut into frames.
#[napi(object)]
pub struct CutStream {
    /// The bodies of the frames, whole.
    pub frames: Vec<Buffer>,
    /// The code of the error that stopped it, if any.
    pub error: Option<String>,
    /// Bytes left over that are not a whole frame.
    pub rest: u32,
}

/// Cuts a stream that arrives in `chunks` and then ends, exactly as a loop does.
#[napi]
pub fn cut_stream(framing: FramingInit, chunks: Vec<Uint8Array>) -> Result<CutStream> {
    let (frames, error, rest) = millrace_reactor::cut(&framing.framing()?, &chunks);
    let frames = frames.into_iter().map(Buffer::from).collect();
    Ok(CutStream { frames, error: error.map(|error| error.code().to_owned()), rest })
}

/// Binds a socket and listens; nothing is accepted before `listen`.
#[napi]
pub fn bind(environment: u32, service: u32, options: ListenInit) -> Result<BindResult> {
    let environment = find(environment)?;
    let services = environment.services.borrow();
    let service = services.get(service as usize).and_then(Option::as_ref);
    let service = service.ok_or_else(|| Error::from_reason("there is no such service"))?;
    Ok(match BoundListener::new(options.options()?, service) {
        Ok(bound) => {
            let local = bound.local().clone();
            BindResult::bound(place(&mut environment.bound.borrow_mut(), bound) as u32, &local)
        }
        Err(error) => BindResult::failed(&error),
    })
}

/// Closes a bound listener that was never accepted from. An inherited socket stays open.
#[napi]
pub fn unbind(environment: u32, number: u32) -> Result<()> {
    if let Some(entry) = find(environment)?.bound.borrow_mut().get_mut(number as usize)
        && let Some(bound) = entry.take()
    {
        bound.give_up();
    }
    Ok(())
}

/// Begins to accept from a bound listener. Here and below, `lane` is the place in the group of a loop that
/// accepts for itself; -1 means the acceptor, or the only loop of the group.
#[napi]
pub fn listen(environment: u32, group: u32, lane: i32, number: u32) -> Result<(), Code> {
    let environment = find(environment).map_err(plain)?;
    let bound = environment.bound.borrow_mut().get_mut(number as usize).and_then(Option::take);
    let bound = bound.ok_or_else(|| plain(Error::from_reason("there is no such listener")))?;
    environment.listen(group, lane, bound)
}

/// Accepts what is in the backlog and closes a listener. Its loops report when they have delivered everything.
#[napi]
pub fn close_listener(environment: u32, group: u32, lane: i32, listener: u32) -> Result<()> {
    find(environment)?.close_listener(group, lane, listener);
    Ok(())
}

/// Connects on the given loop, or with -1 on the loop of the group with the fewest connections. The loop
/// answers with the number of the options. Returns the loop's number; -1 if the loop is dead.
#[napi]
pub fn connect(environment: u32, group: u32, index: i32, options: DialInit) -> Result<i32> {
    let at = u32::try_from(index).ok();
    let environment = find(environment)?;
    let profile = environment.profile(options.profile)?;
    let chosen = environment.connect(group, at, options.options(profile)?)?;
    Ok(chosen.map_or(-1, u32::cast_signed))
}

/// Stores the settings of connections. Returns the number of this profile, for `connect`.
#[napi]
pub fn create_profile(environment: u32, profile: ProfileInit) -> Result<u32> {
    let kept = (profile.framing.framing()?, profile.connection()?);
    Ok(place(&mut find(environment)?.profiles.borrow_mut(), kept) as u32)
}

/// Forgets all profiles.
#[napi]
pub fn drop_profiles(environment: u32) -> Result<()> {
    find(environment)?.profiles.borrow_mut().clear();
    Ok(())
}

/// Gives up connecting, unless the answer is already on its way.
#[napi]
pub fn cancel_connect(environment: u32, group: u32, index: u32, number: u32) -> Result<()> {
    find(environment)?.cancel_connect(group, index, number);
    Ok(())
}

/// Accepts nothing more from a listener, or goes on. Answered.
#[napi]
pub fn pause_listener(
    environment: u32,
    group: u32,
    lane: i32,
    listener: u32,
    is_paused: bool,
    ticket: u32,
) -> Result<()> {
    find(environment)?.with_group(group, |group| {
        group.pause_listener(environment::lane_of(lane), listener, is_paused, ticket);
    });
    Ok(())
}

/// Makes another descriptor of a listener's socket. Answered with its number.
#[napi]
pub fn duplicate_listener(
    environment: u32,
    group: u32,
    lane: i32,
    listener: u32,
    ticket: u32,
) -> Result<()> {
    find(environment)?.with_group(group, |group| {
        group.duplicate_listener(environment::lane_of(lane), listener, ticket);
    });
    Ok(())
}

/// Sets options of a connection's socket, given as numbers of the record table and values in turn. Answered.
#[napi]
pub fn set_socket_options(
    environment: u32,
    index: u32,
    slot: u32,
    generation: u32,
    pairs: Vec<u32>,
    ticket: u32,
) -> Result<()> {
    let options = socket_options(&pairs)?;
    find(environment)?.handle_of(index)?.set_options(slot, generation, options, ticket);
    Ok(())
}

/// Reads an option of a connection's socket. Answered with its value.
#[napi]
pub fn get_socket_option(
    environment: u32,
    index: u32,
    slot: u32,
    generation: u32,
    option: u32,
    ticket: u32,
) -> Result<()> {
    let option = socket_option(option)
        .ok_or_else(|| Error::from_reason("there is no such socket option"))?;
    find(environment)?.handle_of(index)?.get_option(slot, generation, option, ticket);
    Ok(())
}

/// Whether this platform has a socket option.
#[napi]
pub fn has_socket_option(option: u32) -> bool {
    socket_option(option).is_some_and(millrace_sys::SocketOption::is_supported)
}

/// Whether this platform's kernel spreads connections over the sockets of one port.
#[napi]
pub fn balances_ports() -> bool {
    millrace_sys::PORTS_ARE_SHARED
}

/// Writes the ring positions into the control words. True if there is something to do.
#[napi]
pub fn poll(environment: u32) -> Result<bool> {
    Ok(find(environment)?.poll())
}

/// Gives every inline loop a turn, and then does the same as `poll`.
#[napi]
pub fn turn(environment: u32) -> Result<bool> {
    let environment = find(environment)?;
    environment.turn_all();
    Ok(environment.poll())
}

/// The low 32 bits of the number of bytes that the kernel took from a connection; -1 once it is gone.
#[napi]
pub fn bytes_sent(environment: u32, index: u32, slot: u32, generation: u32) -> Result<f64> {
    let counts = find(environment)?.counts(index, slot, generation);
    Ok(counts.map_or(-1.0, |(sent, _)| f64::from(sent)))
}

/// The number of bytes received from a connection; -1 once it is gone.
#[napi]
pub fn bytes_received(environment: u32, index: u32, slot: u32, generation: u32) -> Result<f64> {
    let counts = find(environment)?.counts(index, slot, generation);
    Ok(counts.map_or(-1.0, |(_, received)| received as f64))
}

/// The number of bytes that a connection was passed on from the other side of its pipe and that wait to be sent;
/// -1 once it is gone.
#[napi]
pub fn bytes_relayed(environment: u32, index: u32, slot: u32, generation: u32) -> Result<f64> {
    let waiting = find(environment)?.relayed(index, slot, generation);
    Ok(waiting.map_or(-1.0, |waiting| waiting as f64))
}

/// What a loop has counted since it started.
#[napi(object)]
pub struct LoopCounters {
    pub opened: f64,
    pub closed: f64,
    pub bytes_read: f64,
    pub bytes_written: f64,
    pub records_in: f64,
    pub records_out: f64,
    pub turns: f64,
    pub proxy_refused: f64,
    pub last_replies: f64,
}

/// The counters of one loop.
#[napi]
pub fn counters(environment: u32, index: u32) -> Result<LoopCounters> {
    let handle = find(environment)?.handle_of(index)?;
    let counters = handle.counters();
    Ok(LoopCounters {
        opened: counters.opened as f64,
        closed: counters.closed as f64,
        bytes_read: counters.received as f64,
        bytes_written: counters.sent as f64,
        records_in: counters.records_in as f64,
        records_out: counters.records_out as f64,
        turns: counters.turns as f64,
        proxy_refused: counters.proxy_refused as f64,
        last_replies: handle.last_replies() as f64,
    })
}

/// Sets whether the process, or worker, stays alive for the loops of this environment.
#[napi]
pub fn keep_alive(env: Env, environment: u32, keep: bool) -> Result<()> {
    find(environment)?.keep_alive(&env, keep);
    Ok(())
}

/// Offers everything written to the kernel once and stops the loops, waiting no longer than `patience`
/// milliseconds. For `process.on('exit')`.
#[napi]
pub fn shut_down(environment: u32, patience: u32) -> Result<()> {
    find(environment)?.shut_down(Duration::from_millis(patience.into()));
    Ok(())
}

/// The name of a system's error number, such as `ECONNRESET`.
#[napi]
pub fn error_name(errno: i32) -> &'static str {
    millrace_sys::error_name(errno)
}

/// Makes a loop panic in its next turn, for the tests of what happens then.
#[cfg(feature = "inject")]
#[napi]
pub fn inject_panic(environment: u32, index: u32) -> Result<()> {
    find(environment)?.handle_of(index)?.inject_panic();
    Ok(())
}
