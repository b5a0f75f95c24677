//! The control stream: messages with their lengths before them.

use std::time::Duration;

use bytes::Bytes;
use conclave_core::limits::{
    ANNOUNCED_TRACKS, RELAY_CONTROL_BURST, RELAY_CONTROL_PER_SECOND, RELAY_CONTROL_UNIT, RELAY_MESSAGE_BYTES,
    ROOT_SUCCESSIONS,
};
use conclave_proto::relay::v1::RelayMessage;
use prost::Message as _;
use quinn::{RecvStream, SendStream};
use tokio::time::Instant;

use crate::federation::wary::{self, Shape};

/// Layers of a track at most.
const LAYERS: usize = 3;
/// Bytes of a number at most.
const NUMBER: usize = 5;

/// A `RelayMessage`; what is only bytes costs no more in memory than on the wire.
const MESSAGE: &[Shape] = &[
    of(1, 1, &[of(1, 1, &[of(2, ROOT_SUCCESSIONS, &[])])]),
    of(2, 1, &[of(3, ANNOUNCED_TRACKS, &[of(2, 1, &[]), numbers(3)])]),
    of(3, 1, &[]),
    of(4, 1, &[]),
    of(5, 1, &[]),
    of(6, 1, &[]),
    of(7, 1, &[of(3, ANNOUNCED_TRACKS * LAYERS, &[numbers(3)])]),
];

const fn of(field: u32, most: usize, inside: &'static [Shape]) -> Shape {
    Shape { field, most, largest: RELAY_MESSAGE_BYTES, inside }
}

/// One for each layer, packed or not.
const fn numbers(field: u32) -> Shape {
    Shape { field, most: LAYERS, largest: LAYERS * NUMBER, inside: &[] }
}

/// How fast a peer's messages are read: what it says beyond that waits with it (spec: MED-31).
#[derive(Debug)]
pub(super) struct Pace {
    level: f64,
    since: Instant,
}

impl Pace {
    /// Nothing came lately.
    pub(super) fn new(now: Instant) -> Self {
        Self { level: f64::from(RELAY_CONTROL_BURST), since: now }
    }

    /// How long to wait before more is read after a message of that size.
    pub(super) fn take(&mut self, bytes: usize, now: Instant) -> Duration {
        let units = u32::try_from(bytes / RELAY_CONTROL_UNIT).unwrap_or(u32::MAX).saturating_add(1);
        let rate = f64::from(RELAY_CONTROL_PER_SECOND);
        let inflow = now.saturating_duration_since(self.since).as_secs_f64() * rate;
        self.level = (self.level + inflow).min(f64::from(RELAY_CONTROL_BURST)) - f64::from(units);
        self.since = now;
        Duration::from_secs_f64((-self.level).max(0.0) / rate)
    }
}

/// A link cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    /// The peer breaks the protocol.
    #[error("the peer breaks the relay protocol: {0}")]
    Misbehaved(&'static str),
    /// The peer is not who it should be.
    #[error("the peer's key is not that of a known domain")]
    Unknown,
    /// The connection is gone.
    #[error(transparent)]
    Connection(#[from] quinn::ConnectionError),
    /// The control stream is gone.
    #[error("the control stream ended: {0}")]
    Read(#[from] quinn::ReadExactError),
    /// The control stream is gone.
    #[error("the control stream ended: {0}")]
    Write(#[from] quinn::WriteError),
    /// The peer did not answer in time.
    #[error("the peer did not answer in time")]
    Late(#[from] tokio::time::error::Elapsed),
    /// Nobody needs the link any more.
    #[error("not needed any more")]
    NotNeeded,
}

/// Reads one message, and says how many bytes it was.
pub(super) async fn read(stream: &mut RecvStream) -> Result<(RelayMessage, usize), LinkError> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > RELAY_MESSAGE_BYTES {
        return Err(LinkError::Misbehaved("a control message is too large"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok((decode(bytes.into())?, length))
}

/// Looks at the shape of a message before anything of it takes memory (spec: FED-07).
fn decode(bytes: Bytes) -> Result<RelayMessage, LinkError> {
    wary::check(bytes.clone(), MESSAGE)
        .map_err(|_| LinkError::Misbehaved("a control message holds too much"))?;
    RelayMessage::decode(bytes).map_err(|_| LinkError::Misbehaved("a control message cannot be read"))
}

/// Writes one message.
pub(super) async fn write(stream: &mut SendStream, message: &RelayMessage) -> Result<(), LinkError> {
    let length = message.encoded_len();
    let Some(prefix) = u32::try_from(length).ok().filter(|_| length <= RELAY_MESSAGE_BYTES) else {
        // Limits on tracks make this impossible; a link is not to be lost over it.
        tracing::error!(length, "a control message is too large to be sent");
        return Ok(());
    };
    let mut bytes = Vec::with_capacity(4 + length);
    bytes.extend_from_slice(&prefix.to_be_bytes());
    bytes.extend_from_slice(&message.encode_to_vec());
    stream.write_all(&bytes).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // Tests may panic.
    use conclave_core::media::Temporal;
    use conclave_proto::{
        relay::v1::{Announce, AnnouncedTrack, LayerRate, LayerRates, relay_message::Message},
        types::v1::Track,
    };

    use super::*;

    fn announce(tracks: usize, streams: usize) -> Message {
        let track = Some(Track { number: 1, kind: 2, codec: 2, layers: 3 });
        let stream_ids = (0..).map(|at| u32::MAX - at).take(streams).collect();
        let track = AnnouncedTrack { device: "conclave://north.example".to_owned(), track, stream_ids };
        Message::Announce(Announce { tracks: vec![track; tracks], ..Announce::default() })
    }

    fn rates(layers: usize) -> Message {
        let rate = LayerRate { stream_id: 1, kilobits: 900, lower_kilobits: vec![1; Temporal::COUNT - 1] };
        Message::LayerRates(LayerRates { rates: vec![rate; layers], ..LayerRates::default() })
    }

    fn is_read(message: Message) -> bool {
        decode(RelayMessage { message: Some(message) }.encode_to_vec().into()).is_ok()
    }

    #[test]
    fn fed_07_what_a_relay_message_lists_is_counted_before_it_is_decoded() {
        assert!(is_read(announce(ANNOUNCED_TRACKS, LAYERS)));
        assert!(!is_read(announce(ANNOUNCED_TRACKS + 1, 1)));
        assert!(!is_read(announce(1, LAYERS + 1)));
        assert!(is_read(rates(ANNOUNCED_TRACKS * LAYERS)));
        assert!(!is_read(rates(ANNOUNCED_TRACKS * LAYERS + 1)));
        // Protobuf merges what stands there twice.
        let one = RelayMessage { message: Some(announce(600, 3)) }.encode_to_vec();
        assert!(decode(one.repeat(2).into()).is_err());
    }

    #[test]
    fn med_31_what_a_peer_says_too_fast_is_read_later() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        let fast = (0..RELAY_CONTROL_BURST).filter(|_| pace.take(40, start).is_zero()).count();
        assert_eq!(fast, usize::try_from(RELAY_CONTROL_BURST).unwrap());
        let late = pace.take(RELAY_MESSAGE_BYTES, start);
        assert!((Duration::from_millis(900)..Duration::from_millis(1_100)).contains(&late), "{late:?}");
        assert!(pace.take(40, start + late + Duration::from_millis(10)).is_zero());
    }
}
