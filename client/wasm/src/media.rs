//! The home server's media service, for the page's peer connection: requests as bytes, answers as JSON.

use conclave_proto::client::v1 as wire;
use js_sys::Uint8Array;
use prost::Message;
use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::prelude::*;

use crate::{
    client::sentence,
    command::{self, Track},
};

/// A track and the m-section that carries it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    mid: String,
    track: Track,
}

/// One wanted track.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    device: String,
    track: u32,
    height: u32,
}

/// Asks for a connection with this SDP offer.
#[wasm_bindgen]
pub fn media_open_request(
    meeting: &str,
    session: f64,
    offer: &str,
    tracks: &str,
) -> Result<Vec<u8>, JsValue> {
    let meeting = command::address(meeting).map_err(|error| sentence(&error))?;
    let request = wire::OpenRequest {
        meeting_id: meeting.id.as_bytes().to_vec().into(),
        hub: meeting.hub.to_string(),
        session: crate::effect::id(session),
        offer: offer.to_owned(),
        tracks: published(tracks)?,
    };
    Ok(request.encode_to_vec())
}

/// The SDP answer.
#[wasm_bindgen]
pub fn media_answer(body: &[u8]) -> Result<String, JsValue> {
    Ok(wire::OpenResponse::decode(body).map_err(|error| sentence(&error))?.answer)
}

/// The connection's id.
#[wasm_bindgen]
pub fn media_connection(body: &[u8]) -> Result<Uint8Array, JsValue> {
    let answer = wire::OpenResponse::decode(body).map_err(|error| sentence(&error))?;
    Ok(Uint8Array::from(answer.connection_id.as_ref()))
}

/// Asks for what the slots carry, as it changes.
#[wasm_bindgen]
pub fn media_signals_request(connection: &[u8]) -> Vec<u8> {
    wire::SignalsRequest { connection_id: connection.to_vec().into() }.encode_to_vec()
}

/// One change: `{slots: [{mid, device, track, paused}]}` or `{ended: reason}`.
#[wasm_bindgen]
pub fn media_signal(message: &[u8]) -> Result<String, JsValue> {
    use wire::signals_response::Signal;
    let message = wire::SignalsResponse::decode(message).map_err(|error| sentence(&error))?;
    let signal = match message.signal {
        Some(Signal::Slots(table)) => {
            let slots = table.slots.iter();
            let slots = slots.map(|slot| {
                json!({ "mid": slot.mid, "device": slot.device, "track": slot.track, "paused": slot.paused })
            });
            json!({ "slots": slots.collect::<serde_json::Value>() })
        }
        Some(Signal::Ended(ended)) => json!({ "ended": ended.reason }),
        None => json!({ "slots": [] }),
    };
    Ok(signal.to_string())
}

/// Says what is sent now, and what is wanted.
#[wasm_bindgen]
pub fn media_update_request(
    connection: &[u8],
    tracks: &str,
    wishes: &str,
    sound_only: bool,
) -> Result<Vec<u8>, JsValue> {
    let wishes: Vec<Wish> = serde_json::from_str(wishes).map_err(|error| sentence(&error))?;
    let wishes = wishes.into_iter().map(|wish| wire::Wish {
        device: wish.device,
        track: wish.track,
        height: wish.height,
    });
    let request = wire::UpdateRequest {
        connection_id: connection.to_vec().into(),
        tracks: published(tracks)?,
        wishes: wishes.collect(),
        sound_only,
    };
    Ok(request.encode_to_vec())
}

/// Closes the connection.
#[wasm_bindgen]
pub fn media_close_request(connection: &[u8]) -> Vec<u8> {
    wire::CloseRequest { connection_id: connection.to_vec().into() }.encode_to_vec()
}

fn published(tracks: &str) -> Result<Vec<wire::PublishedTrack>, JsValue> {
    let tracks: Vec<Published> = serde_json::from_str(tracks).map_err(|error| sentence(&error))?;
    let tracks = tracks.into_iter();
    Ok(tracks.map(|one| wire::PublishedTrack { mid: one.mid, track: Some(one.track.into()) }).collect())
}
