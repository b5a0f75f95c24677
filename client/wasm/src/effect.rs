//! What a page is to do, as plain JavaScript objects: `{kind: "call", call, path, body}` and so on.

use std::time::Duration;

use conclave_core::device::{
    event::{CallEvent, Event},
    io::{ApiError, Output},
};
use conclave_proto::types::v1::{ErrorDetail, ErrorReason};
use js_sys::{Object, Reflect, Uint8Array};
use prost::Message;
use wasm_bindgen::prelude::*;

use crate::{vault::Vault, view};

/// The place that is bound to what the frame worker is sent.
pub(crate) const WORKER: &str = "media keys";

/// Why the home server did not answer as wished.
#[wasm_bindgen]
pub struct Failure {
    error: ApiError,
}

#[wasm_bindgen]
impl Failure {
    /// The server was not reached.
    pub fn unreachable(message: &str) -> Self {
        Self {
            error: ApiError {
                reason: ErrorReason::Unavailable,
                message: message.to_owned(),
                retry_after: None,
            },
        }
    }

    /// The server answered with a gRPC status, its details as they came.
    pub fn status(code: u32, message: &str, details: &[u8]) -> Self {
        let detail = ErrorDetail::decode(details).unwrap_or_default();
        let retry_after =
            (detail.retry_after_ms > 0).then(|| Duration::from_millis(detail.retry_after_ms.into()));
        let error = match ErrorReason::try_from(detail.reason) {
            Ok(reason) if reason != ErrorReason::Unspecified => {
                ApiError { reason, message: detail.message, retry_after }
            }
            _ => ApiError {
                reason: reason_of_code(code),
                message: format!("the server answered: {message}"),
                retry_after,
            },
        };
        Self { error }
    }

    /// The machine-readable reason, as in `unavailable`.
    pub fn reason(&self) -> String {
        view::reason(self.error.reason)
    }

    /// One sentence for a person.
    pub fn message(&self) -> String {
        self.error.message.clone()
    }
}

impl Failure {
    pub(crate) fn error(&self) -> ApiError {
        self.error.clone()
    }
}

/// For answers that did not come from a Conclave server: a proxy before it.
const fn reason_of_code(code: u32) -> ErrorReason {
    match code {
        1 | 2 | 4 | 10 | 14 => ErrorReason::Unavailable,
        16 => ErrorReason::NotSignedIn,
        7 => ErrorReason::NotEntitled,
        5 => ErrorReason::NotFound,
        8 => ErrorReason::RateLimited,
        3 | 9 | 11 => ErrorReason::Malformed,
        12 => ErrorReason::Incompatible,
        _ => ErrorReason::Bug,
    }
}

/// An output as an effect; secrets are sealed on the way.
pub(crate) async fn of(output: Output, store: &Vault, worker: &Vault) -> Result<JsValue, JsValue> {
    let effect = Object::new();
    let set = |name: &str, value: &JsValue| Reflect::set(&effect, &name.into(), value).map(|_| ());
    match output {
        Output::Call { call, path, body } => {
            set("kind", &"call".into())?;
            set("call", &number(call.0).into())?;
            set("path", &path.into())?;
            set("body", &Uint8Array::from(body.as_ref()))?;
        }
        Output::Open { stream, path, body } => {
            set("kind", &"open".into())?;
            set("stream", &number(stream.0).into())?;
            set("path", &path.into())?;
            set("body", &Uint8Array::from(body.as_ref()))?;
        }
        Output::Close { stream } => {
            set("kind", &"close".into())?;
            set("stream", &number(stream.0).into())?;
        }
        Output::Token(token) => {
            set("kind", &"token".into())?;
            let token = token.and_then(|token| String::from_utf8(token.to_vec()).ok());
            set("token", &token.map_or(JsValue::UNDEFINED, Into::into))?;
        }
        Output::Persist { key, value } => {
            set("kind", &"store".into())?;
            set("place", &key.as_str().into())?;
            if let Some(value) = value {
                set("sealed", &store.seal(&key, &value).await?.into())?;
            }
        }
        Output::Event(event) => {
            set("kind", &"event".into())?;
            set("event", &view::event(&event).to_string().into())?;
            if let Event::Call { event: CallEvent::Keys(keys), .. } = event.as_ref() {
                set("sealed", &worker.seal(WORKER, &keys.to_secret()).await?.into())?;
            }
        }
    }
    Ok(effect.into())
}

/// An id or a time as JavaScript counts: whole up to 2^53.
#[expect(clippy::cast_precision_loss)] // Ids count up from one; times are far below.
pub(crate) fn number(id: u64) -> f64 {
    id as f64
}

/// An id that came back.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Only what `number` gave comes back.
pub(crate) fn id(number: f64) -> u64 {
    number as u64
}
