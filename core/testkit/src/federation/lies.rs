//! Dishonesty between a device and its home server: either may say something else than what its honest code said.

use std::collections::BTreeMap;

use conclave_core::identity::address::Domain;
use prost::bytes::Bytes;

use super::Federation;
use crate::client::{CallKey, ClientId, StreamKey};

/// Changes a message, given the path of its call or stream.
type Lie = Box<dyn FnMut(&str, Bytes) -> Bytes>;

/// Who lies, and how.
#[derive(Default)]
pub(super) struct Lies {
    servers: Vec<(Domain, Lie)>,
    devices: Vec<(ClientId, Lie)>,
    calls: BTreeMap<CallKey, &'static str>,
    streams: BTreeMap<StreamKey, &'static str>,
}

impl Lies {
    /// What a device calls in the end.
    pub(super) fn call(&mut self, key: CallKey, path: &'static str, body: Bytes) -> Bytes {
        self.calls.insert(key, path);
        self.of_device(key.client, path, body)
    }

    /// What a device opens in the end.
    pub(super) fn open(&mut self, stream: StreamKey, path: &'static str, body: Bytes) -> Bytes {
        self.streams.insert(stream, path);
        self.of_device(stream.client, path, body)
    }

    fn of_device(&mut self, device: ClientId, path: &str, body: Bytes) -> Bytes {
        let lies = self.devices.iter_mut().filter(|(liar, _)| *liar == device);
        lies.fold(body, |body, (_, lie)| lie(path, body))
    }

    /// What a server answers in the end.
    pub(super) fn answer(&mut self, server: &Domain, key: CallKey, body: Bytes) -> Bytes {
        let path = self.calls.remove(&key).unwrap_or_default();
        self.of_server(server, path, body)
    }

    /// What a server shows on a stream in the end.
    pub(super) fn item(&mut self, server: &Domain, stream: StreamKey, body: Bytes) -> Bytes {
        let path = self.streams.get(&stream).copied().unwrap_or_default();
        self.of_server(server, path, body)
    }

    fn of_server(&mut self, server: &Domain, path: &str, body: Bytes) -> Bytes {
        let lies = self.servers.iter_mut().filter(|(liar, _)| liar == server);
        lies.fold(body, |body, (_, lie)| lie(path, body))
    }
}

impl Federation {
    /// From now on a home server changes what it answers and shows its own devices.
    ///
    /// # Panics
    /// If the domain is not of its form.
    pub fn server_lies(&mut self, server: &str, lie: impl FnMut(&str, Bytes) -> Bytes + 'static) {
        self.lies.servers.push((Domain::parse(server).expect("a domain"), Box::new(lie)));
    }

    /// From now on a device changes what it asks of its home server.
    pub fn device_lies(&mut self, device: ClientId, lie: impl FnMut(&str, Bytes) -> Bytes + 'static) {
        self.lies.devices.push((device, Box::new(lie)));
    }

    /// Everybody is honest again.
    pub fn nobody_lies(&mut self) {
        self.lies.servers.clear();
        self.lies.devices.clear();
    }
}
