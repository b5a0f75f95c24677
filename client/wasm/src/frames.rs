//! Sealing and opening of frames, in the worker's own instance.

use conclave_core::{
    device::event::MediaKeys,
    ids::TrackNumber,
    media::{
        Layer, Opener, Sealer, TrackLayer,
        frame::OpenError,
        track::{Codec, Kind},
    },
};
use js_sys::{Promise, Uint8Array};
use std::{cell::RefCell, rc::Rc};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;

use crate::{client::sentence, effect::WORKER, time, vault::Vault};

/// The frame keys of one call; without keys nothing is sealed and nothing opened.
#[wasm_bindgen]
pub struct Frames {
    vault: Vault,
    ends: Rc<RefCell<Ends>>,
}

struct Ends {
    sealer: Sealer,
    opener: Opener,
}

/// An opened frame and whose it is, as its key proves.
#[wasm_bindgen]
pub struct OpenedFrame {
    device: String,
    track: u32,
    kind: &'static str,
    data: Vec<u8>,
}

#[wasm_bindgen]
impl OpenedFrame {
    /// The sender's device.
    pub fn device(&self) -> String {
        self.device.clone()
    }

    /// The track.
    pub fn track(&self) -> u32 {
        self.track
    }

    /// audio, video, screen or `screen_audio`.
    pub fn kind(&self) -> String {
        self.kind.to_owned()
    }

    /// The coded frame.
    pub fn data(&self) -> Uint8Array {
        Uint8Array::from(self.data.as_slice())
    }
}

#[wasm_bindgen]
impl Frames {
    /// With the handle of the key that seals what comes from the page.
    #[wasm_bindgen(constructor)]
    pub fn new(key: JsValue) -> Self {
        let ends = Ends { sealer: Sealer::new(), opener: Opener::new() };
        Self { vault: Vault::with(key), ends: Rc::new(RefCell::new(ends)) }
    }

    /// Enters an epoch with the keys that the page passed on sealed. Gives a promise.
    pub fn enter(&self, sealed: Uint8Array) -> Promise {
        let (vault, ends) = (self.vault.clone(), Rc::clone(&self.ends));
        future_to_promise(async move {
            let secret = vault.open(WORKER, &sealed).await?;
            let keys = MediaKeys::from_secret(&secret).ok_or_else(|| sentence(&"these are no media keys"))?;
            let (now, mut ends) = (time::now(), ends.borrow_mut());
            ends.opener.enter(keys.keys.clone(), now, &keys.removed);
            // Nobody loses by it: who is slower keeps the frames until the keys are there (MED-05).
            ends.sealer.enter(keys.keys, now, true);
            Ok(JsValue::UNDEFINED)
        })
    }

    /// Seals a frame of an own track; what is not sealed must not be sent.
    pub fn seal(&self, track: u32, kind: &str, layer: u8, frame: &[u8]) -> Result<Vec<u8>, JsValue> {
        let (kind, codec) = match kind {
            "audio" => (Kind::Audio, Codec::Opus),
            "video" => (Kind::Video, Codec::Vp8),
            "screen" => (Kind::Screen, Codec::Vp8),
            "screen_audio" => (Kind::ScreenAudio, Codec::Opus),
            _ => return Err(sentence(&"no such kind of track")),
        };
        let layer = Layer::new(layer).ok_or_else(|| sentence(&"no such layer"))?;
        let layer = TrackLayer { number: TrackNumber(track), kind, codec, layer };
        let mut sealed = Vec::new();
        let sealing = self.ends.borrow_mut().sealer.seal(time::now(), layer, frame, &mut sealed);
        sealing.map_err(|error| sentence(&error))?;
        Ok(sealed)
    }

    /// Opens a frame of others. Undefined: it is of an epoch whose keys may still come. An error: it must not be shown.
    pub fn open(&self, is_audio: bool, sealed: &[u8]) -> Result<Option<OpenedFrame>, JsValue> {
        let codec = if is_audio { Codec::Opus } else { Codec::Vp8 };
        match self.ends.borrow_mut().opener.open(time::now(), codec, sealed) {
            Ok(opened) => {
                let kind = match opened.track.kind {
                    Kind::Audio => "audio",
                    Kind::Video => "video",
                    Kind::Screen => "screen",
                    Kind::ScreenAudio => "screen_audio",
                };
                let device = opened.device.to_string();
                Ok(Some(OpenedFrame { device, track: opened.track.number.0, kind, data: opened.frame }))
            }
            Err(OpenError::WrongEpoch) => Ok(None),
            Err(error) => Err(sentence(&error)),
        }
    }

    /// Forgets all keys: the call is over.
    pub fn forget(&self) {
        let mut ends = self.ends.borrow_mut();
        ends.sealer.forget();
        ends.opener.forget();
    }
}
