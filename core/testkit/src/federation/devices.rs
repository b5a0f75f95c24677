//! Between a device and its home server.

use std::time::Duration;

use conclave_core::{device::io::Input, identity::address::Domain, ids::Sequence};
use conclave_proto::client::v1 as api;
use prost::Message as _;

use super::{Federation, Happening, Lane, Promise, TIMEOUT, unavailable};
use crate::{
    client::{self, ClientId, StreamKey},
    home_server,
    link::{End, Fate},
};

impl Federation {
    /// What a device does.
    pub(super) fn act(&mut self, actions: Vec<client::Action>) {
        for action in actions {
            match action {
                client::Action::Call { key, token, path, body } => {
                    self.calls.insert(key);
                    let body = self.lies.call(key, path, body);
                    self.submits.extend(Promise::asked(path, &body).map(|promise| (key, promise)));
                    let (from, to) = self.ends(key.client);
                    let call = || Happening::Call { key, token: token.clone(), path, body: body.clone() };
                    match self.link.fate(&from, &to) {
                        Fate::Lost => {
                            self.after(TIMEOUT, Happening::Answer { key, result: Err(unavailable()) });
                        }
                        Fate::Comes(delay) => self.after(delay, call()),
                        Fate::Twice(first, second) => {
                            self.after(first, call());
                            self.after(second, call());
                        }
                    }
                }
                client::Action::Open { stream, token, path, body } => {
                    self.streams.insert(stream);
                    let body = self.lies.open(stream, path, body);
                    let (from, to) = self.ends(stream.client);
                    match self.link.fate(&from, &to) {
                        Fate::Lost => self.break_stream(stream),
                        Fate::Comes(delay) | Fate::Twice(delay, _) => {
                            self.in_order(
                                Lane::Device(stream),
                                delay,
                                Happening::Open { stream, token, path, body },
                            );
                        }
                    }
                }
                client::Action::Close { stream } => {
                    self.streams.remove(&stream);
                    self.after(Duration::ZERO, Happening::Close { stream });
                }
            }
        }
    }

    pub(super) fn ends(&self, client: ClientId) -> (End, End) {
        (End::Client(client.0), End::Server(self.clients[client.0].home().clone()))
    }

    /// Nothing more comes on it, and both ends learn that in time.
    pub(super) fn break_stream(&mut self, stream: StreamKey) {
        self.broken.insert(stream);
        self.after(TIMEOUT, Happening::End { stream, error: Some(unavailable()) });
        self.after(Duration::ZERO, Happening::Close { stream });
    }

    pub(super) fn input(&mut self, client: ClientId, input: Input) {
        let actions = self.clients[client.0].handle(self.now, input);
        self.act(actions);
    }

    pub(super) fn server_acts(&mut self, domain: &Domain, action: home_server::Action) {
        match action {
            home_server::Action::Answer { call: key, result } => {
                if let (Ok(body), Some(promise)) = (&result, self.submits.get(&key))
                    && let Ok(answer) = api::SubmitResponse::decode(body.clone())
                {
                    self.promises.push(Promise { sequence: Sequence(answer.sequence), ..promise.clone() });
                }
                let result = result.map(|body| self.lies.answer(domain, key, body));
                let (to, from) = self.ends(key.client);
                match self.link.fate(&from, &to) {
                    Fate::Lost => self.after(TIMEOUT, Happening::Answer { key, result: Err(unavailable()) }),
                    Fate::Comes(delay) | Fate::Twice(delay, _) => {
                        self.after(delay, Happening::Answer { key, result });
                    }
                }
            }
            home_server::Action::Item { stream, .. } | home_server::Action::End { stream, .. }
                if self.broken.contains(&stream) => {}
            home_server::Action::Item { stream, body } => {
                let body = self.lies.item(domain, stream, body);
                let (to, from) = self.ends(stream.client);
                match self.link.fate(&from, &to) {
                    Fate::Lost => self.break_stream(stream),
                    Fate::Comes(delay) | Fate::Twice(delay, _) => {
                        self.in_order(Lane::Device(stream), delay, Happening::Item { stream, body });
                    }
                }
            }
            home_server::Action::End { stream, error } => {
                let delay = self.link.delay();
                self.in_order(Lane::Device(stream), delay, Happening::End { stream, error });
            }
            home_server::Action::Send { to, message } => self.send(domain.clone(), to, message),
        }
    }
}
