//! Datagram sockets: binding them, and what their user does with them later.

use crate::datagram_entry::DatagramEntry;
use crate::environment::{find, place};
use crate::listen::{BindResult, socket_address};
use millrace_reactor::{
    Address, BoundDatagramSocket, DatagramHandle, DatagramOptions, DatagramSetting, Interface,
    Membership, socket_option,
};
use napi::{Error, Result};
use napi_derive::napi;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

/// An option: `name` decides which other fields count.
#[napi(object)]
pub struct SettingInit {
    pub name: String,
    /// A number, or 1 for on and 0 for off; for an IPv6 interface its index.
    pub value: u32,
    /// The group to join or leave.
    pub group: Option<String>,
    /// The address of an IPv4 interface.
    pub interface: Option<String>,
    /// The only host to receive from.
    pub source: Option<String>,
}

/// How to bind a datagram socket.
#[napi(object)]
pub struct DatagramInit {
    pub id: u32,
    /// An IP address without brackets or zone.
    pub host: String,
    pub port: u16,
    pub scope: u32,
    pub dual_stack: bool,
    /// The peer of a connected socket.
    pub peer_host: Option<String>,
    pub peer_port: u16,
    pub peer_scope: u32,
    pub reuse_port: bool,
    pub reuse_address: bool,
    /// Receive several datagrams of one sender in one piece, if the kernel can.
    pub receive_offload: bool,
    /// Receive only what comes in through this interface.
    pub device: Option<String>,
    pub settings: Vec<SettingInit>,
    pub max: u32,
    pub high_water_mark: u32,
}

/// The counts of a datagram socket.
#[napi(object)]
pub struct DatagramCounts {
    pub received: f64,
    pub sent: f64,
    pub bytes_read: f64,
    pub bytes_written: f64,
    pub truncated: f64,
    pub errors: f64,
    pub dropped: f64,
}

fn address(text: Option<&String>) -> Result<IpAddr> {
    let text = text.map(String::as_str).unwrap_or_default();
    text.parse().map_err(|_| Error::from_reason(format!("{text} is not an IP address")))
}

impl SettingInit {
    fn setting(&self) -> Result<DatagramSetting> {
        let SettingInit { value, .. } = *self;
        Ok(match self.name.as_str() {
            "join" => DatagramSetting::Join(self.membership()?),
            "leave" => DatagramSetting::Leave(self.membership()?),
            "multicastInterface" => DatagramSetting::MulticastInterface(match &self.interface {
                Some(_) => Interface::V4(self.interface_v4()?),
                None => Interface::V6(value),
            }),
            "multicastTtl" => DatagramSetting::MulticastTtl(value),
            "multicastLoopback" => DatagramSetting::MulticastLoopback(value != 0),
            "ttl" => DatagramSetting::Ttl(value),
            "broadcast" => DatagramSetting::Broadcast(value != 0),
            "receiveBuffer" => DatagramSetting::ReceiveBuffer(value as usize),
            "sendBuffer" => DatagramSetting::SendBuffer(value as usize),
            "dscp" => DatagramSetting::Dscp(value),
            other => return Err(Error::from_reason(format!("there is no option '{other}'"))),
        })
    }

    fn interface_v4(&self) -> Result<std::net::Ipv4Addr> {
        match address(self.interface.as_ref())? {
            IpAddr::V4(interface) => Ok(interface),
            IpAddr::V6(_) => {
                Err(Error::from_reason("an IPv4 group needs the IPv4 address of an interface"))
            }
        }
    }

    fn membership(&self) -> Result<Membership> {
        let source = self.source.as_ref().map(|source| address(Some(source))).transpose()?;
        let other = || Error::from_reason("a group and its source must be of one address family");
        Ok(match address(self.group.as_ref())? {
            IpAddr::V4(group) => {
                let source = match source {
                    Some(IpAddr::V4(source)) => Some(source),
                    Some(IpAddr::V6(_)) => return Err(other()),
                    None => None,
                };
                Membership::V4 { group, interface: self.interface_v4()?, source }
            }
            IpAddr::V6(group) => {
                let source = match source {
                    Some(IpAddr::V6(source)) => Some(source),
                    Some(IpAddr::V4(_)) => return Err(other()),
                    None => None,
                };
                Membership::V6 { group, interface: self.value, source }
            }
        })
    }
}

impl DatagramInit {
    fn options(&self) -> Result<DatagramOptions> {
        let peer = match &self.peer_host {
            Some(host) => Some(socket_address(host, self.peer_port, self.peer_scope)?),
            None => None,
        };
        Ok(DatagramOptions {
            number: self.id,
            address: socket_address(&self.host, self.port, self.scope)?,
            dual_stack: self.dual_stack,
            peer,
            reuse_port: self.reuse_port,
            reuse_address: self.reuse_address,
            receive_offload: self.receive_offload,
            device: self.device.clone(),
            settings: self.settings.iter().map(SettingInit::setting).collect::<Result<_>>()?,
            max: self.max,
            high_water: self.high_water_mark as usize,
        })
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(-1)
}

/// Binds a datagram socket, which receives nothing before `open_datagrams`.
#[napi]
pub fn bind_datagrams(environment: u32, options: DatagramInit) -> Result<BindResult> {
    let environment = find(environment)?;
    Ok(match BoundDatagramSocket::new(&options.options()?) {
        Ok(bound) => {
            let (local, handle) = (Address::Inet(bound.local()), bound.handle().clone());
            let entry = DatagramEntry { bound: Some(bound), handle };
            let number = place(&mut environment.datagrams.borrow_mut(), entry) as u32;
            BindResult::bound(number, &local)
        }
        Err(error) => BindResult::failed(&error),
    })
}

/// Gives a bound datagram socket to a loop, which answers with `OPEN`.
#[napi]
pub fn open_datagrams(environment: u32, index: u32, number: u32) -> Result<()> {
    let environment = find(environment)?;
    let handle = environment.handle_of(index)?;
    let mut sockets = environment.datagrams.borrow_mut();
    let entry = sockets.get_mut(number as usize).and_then(Option::as_mut);
    let bound = entry.and_then(|entry| entry.bound.take());
    handle.open_datagrams(bound.ok_or_else(|| Error::from_reason("there is no such socket"))?);
    Ok(())
}

/// Forgets a datagram socket that is closed, or was never given to a loop.
#[napi]
pub fn drop_datagrams(environment: u32, number: u32) -> Result<()> {
    if let Some(entry) = find(environment)?.datagrams.borrow_mut().get_mut(number as usize) {
        *entry = None;
    }
    Ok(())
}

fn handle(environment: u32, number: u32) -> Result<Arc<DatagramHandle>> {
    let environment = find(environment)?;
    let sockets = environment.datagrams.borrow();
    let entry = sockets.get(number as usize).and_then(Option::as_ref);
    Ok(entry.ok_or_else(|| Error::from_reason("there is no such socket"))?.handle.clone())
}

/// The bytes that a datagram socket has sent or given up, and 64 more for each datagram.
#[napi]
pub fn datagrams_done(environment: u32, number: u32) -> Result<f64> {
    Ok(handle(environment, number)?.done() as f64)
}

/// What a datagram socket has counted so far.
#[napi]
pub fn datagram_counts(environment: u32, number: u32) -> Result<DatagramCounts> {
    let counts = handle(environment, number)?.counts();
    Ok(DatagramCounts {
        received: counts.received as f64,
        sent: counts.sent as f64,
        bytes_read: counts.bytes_read as f64,
        bytes_written: counts.bytes_written as f64,
        truncated: counts.truncated as f64,
        errors: counts.errors as f64,
        dropped: counts.dropped as f64,
    })
}

/// Sets an option of a datagram socket that is on a loop. Returns 0, the system's error number, or -1 if the
/// socket is gone.
#[napi]
pub fn set_datagrams(environment: u32, number: u32, setting: SettingInit) -> Result<i32> {
    let handle = handle(environment, number)?;
    Ok(match handle.set(&setting.setting()?) {
        Ok(true) => 0,
        Ok(false) => -1,
        Err(error) => errno(&error),
    })
}

/// The value of an option.
#[napi(object)]
pub struct OptionValue {
    /// 0 if the option was read, the system's error number, or -1 if the socket is gone.
    pub errno: i32,
    pub value: u32,
}

/// Reads an option of a datagram socket that is on a loop.
#[napi]
pub fn get_datagrams(environment: u32, number: u32, option: u32) -> Result<OptionValue> {
    let option = socket_option(option)
        .ok_or_else(|| Error::from_reason("there is no such socket option"))?;
    Ok(match handle(environment, number)?.get(option) {
        Ok(Some(value)) => OptionValue { errno: 0, value },
        Ok(None) => OptionValue { errno: -1, value: 0 },
        Err(error) => OptionValue { errno: errno(&error), value: 0 },
    })
}

/// The index of a network interface; 0 if there is none with that name.
#[napi]
pub fn interface_index(name: String) -> u32 {
    millrace_sys::interface_index(&name)
}

/// Whether an IPv6 multicast group can be joined for one source only.
#[napi]
pub fn has_sources_v6() -> bool {
    millrace_sys::datagrams::HAS_SOURCES_V6
}
