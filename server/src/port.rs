//! Why a port cannot be listened on, and what to do about it.

use std::{fmt, io, net::SocketAddr};

/// A port that cannot be listened on.
#[derive(Debug)]
pub struct Port {
    /// The key in the configuration.
    pub setting: &'static str,
    /// Its value.
    pub address: SocketAddr,
    /// What the operating system says.
    pub error: io::Error,
}

impl std::error::Error for Port {}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, address, error } = self;
        match error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "{setting} {address} is in use: stop the program that listens there (perhaps this server, started twice), \
                 or choose another port"
            ),
            io::ErrorKind::AddrNotAvailable => {
                write!(f, "{setting} {address}: no network interface of this machine has this address")
            }
            io::ErrorKind::PermissionDenied if address.port() < 1024 => write!(
                f,
                "{setting} {address}: a port below 1024 needs the capability CAP_NET_BIND_SERVICE, which \
                 conclave-server.service gives; or choose another port"
            ),
            _ => write!(f, "{setting} {address}: {error}"),
        }
    }
}
