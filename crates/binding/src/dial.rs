//! Options of a `connect`, as JavaScript has checked and completed them.

use crate::listen::{ProfileInit, socket_address};
use millrace_reactor::{DialOptions, Target};
use napi::Result;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

/// Whom to connect to, and how.
#[napi(object)]
pub struct DialInit {
    pub id: u32,
    /// An IP address without brackets or zone.
    pub host: Option<String>,
    pub port: u16,
    pub scope: u32,
    /// Instead of `host`: the path of a Unix socket, or an abstract name behind a 0.
    pub path: Option<Uint8Array>,
    /// Our own address, if it matters, likewise.
    pub local_host: Option<String>,
    pub local_port: u16,
    pub local_scope: u32,
    /// The interface to use, if it matters.
    pub device: Option<String>,
    /// Do not read before it is resumed.
    pub paused: bool,
    pub profile: ProfileInit,
}

impl DialInit {
    pub(crate) fn options(&self) -> Result<DialOptions> {
        Ok(DialOptions {
            id: self.id,
            target: self.target()?,
            paused: self.paused,
            framing: self.profile.framing.framing()?,
            limits: self.profile.limits()?,
        })
    }

    fn target(&self) -> Result<Target> {
        #[cfg(unix)]
        if let Some(path) = &self.path {
            return Ok(Target::Unix { path: path.to_vec().into() });
        }
        let host = self.host.as_deref().unwrap_or_default();
        let local = self.local_host.as_deref();
        Ok(Target::Tcp {
            address: socket_address(host, self.port, self.scope)?,
            local: local
                .map(|host| socket_address(host, self.local_port, self.local_scope))
                .transpose()?,
            device: self.device.clone(),
        })
    }
}
