//! The home server's media service: offer, answer, signals.

use std::time::Duration;

use bytes::Bytes;
use conclave_proto::client::v1 as wire;
use futures::{Stream, StreamExt};
use prost::Message;

use super::connection::{Connection, Offered, Slots};
use crate::api::{self, Api};

const OPEN: &str = "/conclave.client.v1.MediaService/Open";
const SIGNALS: &str = "/conclave.client.v1.MediaService/Signals";
const CLOSE: &str = "/conclave.client.v1.MediaService/Close";
/// An offer must be answered within this time.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// A session, as the media service names it.
#[derive(Clone, Debug)]
pub struct Session {
    /// The meeting's id.
    pub meeting_id: Bytes,
    /// The hub's domain.
    pub hub: String,
    /// The session's number.
    pub number: u64,
}

/// No media connection was made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The home server refused or was not reached.
    #[error(transparent)]
    Api(#[from] api::Error),
    /// The connection itself.
    #[error(transparent)]
    Connection(#[from] super::connection::Error),
    /// The server's answer cannot be decoded.
    #[error("the server's answer cannot be decoded")]
    Malformed(#[from] prost::DecodeError),
    /// No answer came.
    #[error("the server did not answer the offer in time")]
    TimedOut,
}

/// What the server says while the connection lives.
pub type Signals = futures::stream::BoxStream<'static, Result<Bytes, api::Error>>;

/// An answered offer.
pub struct Opened {
    /// Still to be connected.
    pub connection: Connection,
    /// Ends when the server does.
    pub signals: Signals,
    id: Bytes,
}

/// Offers a connection and waits for the answer.
pub async fn open(
    api: &Api,
    session: &Session,
    tracks: &[(super::Kind, conclave_proto::types::v1::Track)],
    slots: Slots,
) -> Result<Opened, Error> {
    let answered = async {
        let kinds: Vec<_> = tracks.iter().map(|(kind, _)| *kind).collect();
        let offered = Offered::new(api.ip().await?, &kinds, slots).await?;
        let published = offered.mids().into_iter().zip(tracks);
        let published = published.map(|(mid, (_, track))| wire::PublishedTrack { mid, track: Some(*track) });
        let request = wire::OpenRequest {
            meeting_id: session.meeting_id.clone(),
            hub: session.hub.clone(),
            session: session.number,
            offer: offered.sdp().to_owned(),
            tracks: published.collect(),
        };
        let answer = wire::OpenResponse::decode(api.call(OPEN, request.encode_to_vec().into()).await?)?;
        let connection = offered.accept(&answer.answer)?;
        let id = answer.connection_id;
        let request = wire::SignalsRequest { connection_id: id.clone() };
        let signals = api.open(SIGNALS, request.encode_to_vec().into()).await?.boxed();
        Ok(Opened { connection, signals, id })
    };
    tokio::time::timeout(ANSWER_WITHIN, answered).await.map_err(|_| Error::TimedOut)?
}

impl Opened {
    /// Tells the server that the connection is over; it notices by itself too.
    pub async fn close(self, api: &Api) {
        let request = wire::CloseRequest { connection_id: self.id };
        let call = api.call(CLOSE, request.encode_to_vec().into());
        if !matches!(tokio::time::timeout(Duration::from_secs(1), call).await, Ok(Ok(_))) {
            tracing::debug!("the media connection was not closed in good order");
        }
    }
}

/// The next thing that the server says; none if the connection is over.
pub async fn next(
    signals: &mut (impl Stream<Item = Result<Bytes, api::Error>> + Unpin),
) -> Option<wire::SlotTable> {
    let message = signals.next().await?.ok()?;
    match wire::SignalsResponse::decode(message).ok()?.signal {
        Some(wire::signals_response::Signal::Slots(slots)) => Some(slots),
        Some(wire::signals_response::Signal::Ended(ended)) => {
            tracing::debug!(reason = %ended.reason, "the server ended the media connection");
            None
        }
        None => Some(wire::SlotTable::default()),
    }
}
