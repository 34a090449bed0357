//! The options of a listener, which JavaScript has checked and completed.

use millrace_reactor::{
    Address, ConnectionOptions, Framing, LengthField, ListenAddress, ListenOptions, Network,
    ProxyProtocol, SocketOptions, Timeouts, VarintField,
};
use napi::bindgen_prelude::{Buffer, Uint8Array};
use napi::{Error, Result};
use napi_derive::napi;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

/// A framing: `kind` decides which other fields count.
#[napi(object)]
pub struct FramingInit {
    pub kind: String,
    pub max: Option<u32>,
    pub size: Option<u32>,
    pub delimiter: Option<Uint8Array>,
    pub bytes: Option<u32>,
    pub offset: Option<u32>,
    pub adjust: Option<i32>,
    pub strip: Option<u32>,
    pub little: Option<bool>,
}

/// Limits in time, in milliseconds; 0 is no limit.
#[napi(object)]
pub struct TimeoutsInit {
    pub idle: u32,
    pub receive: u32,
    pub first_message: u32,
    pub frame: u32,
    pub write: u32,
    pub max_lifetime: u32,
}

/// The settings of the connections of one listener, or of one `connect`.
#[napi(object)]
pub struct ProfileInit {
    pub framing: FramingInit,
    pub high_water_mark: u32,
    pub auto_pause: bool,
    pub linger_ms: u32,
    pub timeouts: TimeoutsInit,
    /// Options of their sockets: numbers of the record table and values in turn.
    pub socket: Vec<u32>,
}

/// An IP network: an address, and how many of its first bits count.
#[napi(object)]
pub struct NetworkInit {
    pub ip: String,
    pub prefix: u32,
}

/// Whose connections begin with a PROXY header.
#[napi(object)]
pub struct ProxyInit {
    pub trusted: Vec<NetworkInit>,
    /// Whether whoever connects to a Unix socket is trusted.
    pub trusts_unix: bool,
    pub timeout_ms: u32,
}

/// Where and how to listen.
#[napi(object)]
pub struct ListenInit {
    pub id: u32,
    /// An IP address without brackets or zone.
    pub host: Option<String>,
    pub port: u16,
    pub scope: u32,
    pub dual_stack: bool,
    pub reuse_port: bool,
    /// Accept only what comes in through this interface.
    pub device: Option<String>,
    /// Instead of `host`: the descriptor of a socket that listens already.
    pub descriptor: Option<u32>,
    /// Instead of `host`: the path of a Unix socket, or a 0 and an abstract name.
    pub path: Option<Uint8Array>,
    pub mode: Option<u32>,
    /// Bind a path even if another process is binding in its directory.
    pub ignores_lock: Option<bool>,
    pub backlog: i32,
    /// Whose connections begin with a PROXY header.
    pub proxy: Option<ProxyInit>,
    pub profile: ProfileInit,
}

/// The result of binding: the address, or the system's error number.
#[napi(object)]
pub struct BindResult {
    /// 0 if binding succeeded.
    pub errno: i32,
    /// For `listen`.
    pub number: u32,
    /// The IP address that the socket is bound to, with its zone; `None` for a Unix socket.
    pub host: Option<String>,
    pub port: u16,
    /// The path of a Unix socket, or a 0 and an abstract name; empty if it has no name.
    pub path: Option<Buffer>,
}

impl BindResult {
    pub(crate) fn failed(error: &io::Error) -> Self {
        let errno = error.raw_os_error().unwrap_or(-1);
        Self { errno, number: 0, host: None, port: 0, path: None }
    }

    pub(crate) fn bound(number: u32, local: &Address) -> Self {
        let (mut host, mut path, mut port) = (None, None, 0);
        match local {
            Address::Inet(address) => {
                port = address.port();
                host = Some(match address {
                    SocketAddr::V6(v6) if v6.scope_id() != 0 => {
                        format!("{}%{}", v6.ip(), v6.scope_id())
                    }
                    _ => address.ip().to_string(),
                });
            }
            Address::Unix(name) => path = Some(name.to_vec().into()),
            Address::Unnamed => path = Some(Vec::new().into()),
        }
        Self { errno: 0, number, host, port, path }
    }
}

impl FramingInit {
    pub(crate) fn framing(&self) -> Result<Framing> {
        let max = self.max.unwrap_or(0);
        let framing = match self.kind.as_str() {
            "raw" => Framing::Raw,
            "line" => Framing::Line { max },
            "delimiter" => {
                let bytes = self.delimiter.as_deref().unwrap_or_default();
                Framing::Delimiter { bytes: bytes.into(), max }
            }
            "fixed" => Framing::Fixed { size: self.size.unwrap_or(0) },
            "lengthField" => Framing::Length(LengthField {
                bytes: self.bytes.unwrap_or(0) as u8,
                offset: self.offset.unwrap_or(0),
                adjust: self.adjust.unwrap_or(0),
                strip: self.strip.unwrap_or(0),
                little: self.little.unwrap_or(false),
                max,
            }),
            "varint" => Framing::Varint(VarintField {
                offset: self.offset.unwrap_or(0),
                strip: self.strip,
                max,
            }),
            other => return Err(Error::from_reason(format!("there is no framing '{other}'"))),
        };
        framing.validate().map_err(|error| Error::from_reason(error.to_string()))?;
        Ok(framing)
    }
}

impl TimeoutsInit {
    fn limits(&self) -> Timeouts {
        let Self { idle, receive, first_message, frame, write, max_lifetime } = *self;
        Timeouts { idle, receive, first_message, frame, write, max_lifetime }
    }
}

impl ProfileInit {
    pub(crate) fn connection(&self) -> Result<ConnectionOptions> {
        Ok(ConnectionOptions {
            high_water: self.high_water_mark as usize,
            auto_pause: self.auto_pause,
            linger: Duration::from_millis(self.linger_ms.into()),
            timeouts: self.timeouts.limits(),
            socket: socket_options(&self.socket)?,
        })
    }
}

impl ProxyInit {
    fn protocol(&self) -> Result<ProxyProtocol> {
        let network = |NetworkInit { ip, prefix }: &NetworkInit| {
            let parsed = ip.parse().ok().zip(u8::try_from(*prefix).ok());
            let network = parsed.and_then(|(ip, prefix)| Network::new(ip, prefix));
            network.ok_or_else(|| Error::from_reason(format!("{ip}/{prefix} is not a network")))
        };
        Ok(ProxyProtocol {
            trusted: self.trusted.iter().map(network).collect::<Result<_>>()?,
            trusts_unix: self.trusts_unix,
            timeout: Duration::from_millis(self.timeout_ms.into()),
        })
    }
}

/// Converts socket options from JavaScript.
pub(crate) fn socket_options(pairs: &[u32]) -> Result<SocketOptions> {
    SocketOptions::of_pairs(pairs)
        .ok_or_else(|| Error::from_reason("there is no such socket option"))
}

/// Converts an IP address from JavaScript, with a port and a zone.
pub(crate) fn socket_address(host: &str, port: u16, scope: u32) -> Result<SocketAddr> {
    let ip: IpAddr =
        host.parse().map_err(|_| Error::from_reason(format!("{host} is not an IP address")))?;
    Ok(match ip {
        IpAddr::V4(_) => SocketAddr::new(ip, port),
        IpAddr::V6(ip) => SocketAddr::V6(SocketAddrV6::new(ip, port, 0, scope)),
    })
}

impl ListenInit {
    pub(crate) fn options(&self) -> Result<ListenOptions> {
        Ok(ListenOptions {
            id: self.id,
            address: self.address()?,
            backlog: self.backlog,
            framing: self.profile.framing.framing()?,
            connection: self.profile.connection()?,
            proxy: self.proxy.as_ref().map(ProxyInit::protocol).transpose()?,
        })
    }

    fn address(&self) -> Result<ListenAddress> {
        if let Some(path) = &self.path {
            let path = path.to_vec().into();
            let ignores_lock = self.ignores_lock.unwrap_or(false);
            return Ok(ListenAddress::Unix { path, mode: self.mode, ignores_lock });
        }
        if let Some(descriptor) = self.descriptor {
            return Ok(ListenAddress::Inherited(descriptor));
        }
        let host = self.host.as_deref().unwrap_or_default();
        let address = socket_address(host, self.port, self.scope)?;
        let (dual_stack, reuse_port) = (self.dual_stack, self.reuse_port);
        Ok(ListenAddress::Tcp { address, dual_stack, reuse_port, device: self.device.clone() })
    }
}
