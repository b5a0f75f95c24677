//! The device machine for a page: one input in, then all effects out.

use conclave_core::{
    device::{
        Device,
        command::RequestId,
        io::{CallId, Input, StreamId},
        problem::Problem,
    },
    identity::{address::Domain, descriptor::Descriptor},
    machine::Machine,
    media::track,
    meeting::link::Link,
};
use conclave_proto::types::v1::SignedDescriptor;
use js_sys::{Array, Promise, Uint8Array};
use prost::Message;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use zeroize::Zeroizing;

use crate::{
    command,
    effect::{self, Failure},
    time,
    vault::{self, Vault},
    view,
};

/// One signed-in device, or one that is about to sign in.
#[wasm_bindgen]
pub struct Client {
    device: Device,
    store: Vault,
    worker: Vault,
    next_request: u64,
}

#[wasm_bindgen]
impl Client {
    /// The device as the browser's store left it: pairs of place and sealed bytes; `key` is the handle of the key that
    /// sealed them, or undefined. What does not open any more is left out, as if it had never been stored.
    pub async fn open(domain: String, key: JsValue, stored: Array) -> Result<Self, JsValue> {
        let domain = Domain::parse(&domain).map_err(|error| sentence(&error))?;
        let store = if key.is_undefined() { Vault::fresh().await? } else { Vault::with(key) };
        let mut kept: Vec<(String, Zeroizing<Vec<u8>>)> = Vec::new();
        for pair in stored.iter() {
            let pair = Array::from(&pair);
            let Some(place) = pair.get(0).as_string() else { continue };
            if let Ok(value) = store.open(&place, &Uint8Array::new(&pair.get(1))).await {
                kept.push((place, value));
            }
        }
        let kept = kept.iter().map(|(place, value)| (place.as_str(), value.as_slice()));
        let device = Device::new(domain, *vault::random::<32>()?, kept);
        Ok(Self { device, store, worker: Vault::fresh().await?, next_request: 1 })
    }

    /// The handle of the key that seals what is stored; it cannot be extracted.
    pub fn store_key(&self) -> JsValue {
        self.store.key()
    }

    /// The handle of the key that seals what the frame worker is sent; it cannot be extracted.
    pub fn worker_key(&self) -> JsValue {
        self.worker.key()
    }

    /// This device's name, once signed in.
    pub fn device(&self) -> Option<String> {
        self.device.uri().map(ToString::to_string)
    }

    /// The one meeting that this device, a guest's, is good for.
    pub fn guest_of(&self) -> Option<String> {
        self.device.guest_of().map(view::address)
    }

    /// Begins a command, given as JSON; its end comes as an event that names this number. Throws a problem, as JSON.
    pub fn command(&mut self, json: &str) -> Result<f64, JsValue> {
        let command = command::parse(json).map_err(|error| problem(&error.problem()))?;
        let request = RequestId(self.next_request);
        self.next_request += 1;
        self.take(Input::Command { request, command })?;
        Ok(effect::number(request.0))
    }

    /// A call was answered.
    pub fn answered(&mut self, call: f64, body: Vec<u8>) -> Result<(), JsValue> {
        self.take(Input::Answer { call: CallId(effect::id(call)), result: Ok(body.into()) })
    }

    /// A call was refused, or the server not reached.
    pub fn refused(&mut self, call: f64, failure: &Failure) -> Result<(), JsValue> {
        self.take(Input::Answer { call: CallId(effect::id(call)), result: Err(failure.error()) })
    }

    /// The home server has taken a stream on.
    pub fn opened(&mut self, stream: f64) -> Result<(), JsValue> {
        self.take(Input::Opened { stream: StreamId(effect::id(stream)) })
    }

    /// A stream gave a message.
    pub fn item(&mut self, stream: f64, message: Vec<u8>) -> Result<(), JsValue> {
        self.take(Input::Item { stream: StreamId(effect::id(stream)), message: message.into() })
    }

    /// A stream came to its end.
    pub fn ended(&mut self, stream: f64) -> Result<(), JsValue> {
        self.take(Input::Ended { stream: StreamId(effect::id(stream)), error: None })
    }

    /// A stream broke.
    pub fn broke(&mut self, stream: f64, failure: &Failure) -> Result<(), JsValue> {
        self.take(Input::Ended { stream: StreamId(effect::id(stream)), error: Some(failure.error()) })
    }

    /// The deadline has come.
    pub fn tick(&mut self) -> Result<(), JsValue> {
        self.take(Input::Tick)
    }

    /// When to come back, Unix milliseconds.
    pub fn deadline(&self) -> Option<f64> {
        self.device.deadline().map(|time| effect::number(time.as_ms()))
    }

    /// Everything that is to be done, in order; carry it out before the next input. Gives a promise of an array.
    pub fn drain(&mut self) -> Promise {
        let mut outputs = Vec::new();
        while let Some(output) = self.device.poll() {
            outputs.push(output);
        }
        let (store, worker) = (self.store.clone(), self.worker.clone());
        future_to_promise(async move {
            let effects = Array::new();
            for output in outputs {
                effects.push(&effect::of(output, &store, &worker).await?);
            }
            Ok(effects.into())
        })
    }

    fn take(&mut self, input: Input) -> Result<(), JsValue> {
        self.device.handle(time::now(), input).map_err(|error| sentence(&error))
    }
}

/// The domain of the server whose signed descriptor this is.
#[wasm_bindgen]
pub fn domain_of(descriptor: &[u8]) -> Result<String, JsValue> {
    let signed = SignedDescriptor::decode(descriptor).map_err(|error| sentence(&error))?;
    let descriptor = Descriptor::verify(&signed).map_err(|error| sentence(&error))?;
    Ok(descriptor.domain.to_string())
}

/// `ID@HUB` of a link or address; throws the problem with it, as JSON.
#[wasm_bindgen]
pub fn meeting_address(text: &str) -> Result<String, JsValue> {
    let link = Link::parse(text).map_err(|error| problem(&(&error).into()))?;
    Ok(format!("{}@{}", link.meeting, link.hub))
}

/// The first number for the tracks of a call that begins now.
#[wasm_bindgen]
pub fn first_track_number() -> u32 {
    track::first_number(time::now()).0
}

/// A problem as JavaScript throws it: its JSON.
fn problem(problem: &Problem) -> JsValue {
    view::problem(problem).to_string().into()
}

/// An error as JavaScript throws it.
pub(crate) fn sentence(error: &dyn std::fmt::Display) -> JsValue {
    js_sys::Error::new(&error.to_string()).into()
}
