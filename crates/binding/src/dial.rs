//! The options of a `connect`, which JavaScript has checked and completed.

use crate::listen::socket_address;
use millrace_reactor::{ConnectionOptions, DialOptions, DialTarget, Framing};
use napi::Result;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

/// Our own IP address.
#[napi(object)]
pub struct LocalInit {
    pub host: String,
    pub port: u16,
    pub scope: u32,
}

/// Where to connect to, and how. Short, because every field costs a property look-up for each connection.
#[napi(object)]
pub struct DialInit {
    pub id: u32,
    /// An IP address without brackets or zone.
    pub host: Option<String>,
    pub port: u16,
    pub scope: u32,
    /// Instead of `host`: the path of a Unix socket, or a 0 and an abstract name.
    pub path: Option<Uint8Array>,
    /// Our own address, if it matters.
    pub local: Option<LocalInit>,
    /// The interface to use, if it matters.
    pub device: Option<String>,
    /// Do not read before the connection is resumed.
    pub paused: bool,
    /// The number that `createProfile` returned.
    pub profile: u32,
}

impl DialInit {
    pub(crate) fn options(
        &self,
        (framing, connection): (Framing, ConnectionOptions),
    ) -> Result<DialOptions> {
        let (id, paused) = (self.id, self.paused);
        Ok(DialOptions { id, target: self.target()?, paused, framing, connection })
    }

    fn target(&self) -> Result<DialTarget> {
        if let Some(path) = &self.path {
            return Ok(DialTarget::Unix { path: path.to_vec().into() });
        }
        let host = self.host.as_deref().unwrap_or_default();
        let local = self.local.as_ref();
        Ok(DialTarget::Tcp {
            address: socket_address(host, self.port, self.scope)?,
            local: local
                .map(|local| socket_address(&local.host, local.port, local.scope))
                .transpose()?,
            device: self.device.clone(),
        })
    }
}
