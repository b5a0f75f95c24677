//! WebRTC between a device and this server's SFU: who may, is decided here; the rest is `media`'s.

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    ids::{LeafIndex, MeetingId, SessionNumber},
};
use conclave_proto::client::v1::{
    CloseRequest, CloseResponse, OpenRequest, OpenResponse, SignalsRequest, SignalsResponse, UpdateRequest,
    UpdateResponse, media_service_server::MediaService, signals_response::Signal,
};
use futures::{StreamExt, stream::BoxStream};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, async_trait};

use super::gate::caller;
use crate::{
    media::{self, ConnectionId, Media, SessionKey},
    meeting::{follower, hub, registry::Registry},
    refusal::Refusal,
};

/// Answers the media calls of this server's devices.
pub struct Calls {
    registry: Registry,
    media: Media,
    shutdown: CancellationToken,
}

impl Calls {
    /// For members of these meetings.
    pub const fn new(registry: Registry, media: Media, shutdown: CancellationToken) -> Self {
        Self { registry, media, shutdown }
    }

    /// The device's leaf, if the session's log says that it is in the room.
    async fn leaf(&self, hub: &str, key: SessionKey, device: DeviceUri) -> Result<LeafIndex, Refusal> {
        let hub = Domain::parse(hub).map_err(|_| Refusal::MALFORMED)?;
        if hub == *self.registry.own() {
            let meeting = self.registry.hub(&key.meeting).await?;
            meeting.ask(|reply| hub::Order::Leaf(device, key.session, reply)).await
        } else {
            let followed = self.registry.followed(&key.meeting, key.session).await?;
            followed.ask(|reply| follower::Order::Leaf(device, reply)).await
        }
    }
}

fn connection(id: &[u8]) -> Result<ConnectionId, Refusal> {
    ConnectionId::parse(id).ok_or(Refusal::MALFORMED)
}

#[async_trait]
impl MediaService for Calls {
    type SignalsStream = BoxStream<'static, Result<SignalsResponse, Status>>;

    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenResponse>, Status> {
        let device = caller(&request)?.device;
        let request = request.into_inner();
        let meeting = MeetingId::parse(&request.meeting_id).map_err(|_| Refusal::MALFORMED)?;
        let key = SessionKey { meeting, session: SessionNumber(request.session) };
        let leaf = self.leaf(&request.hub, key, device.clone()).await?;
        let open = media::OpenRequest { key, device, leaf, offer: request.offer, tracks: request.tracks };
        let opened = self.media.open(open).await.map_err(Refusal::from)?;
        let connection_id = opened.connection.as_bytes().to_vec().into();
        Ok(Response::new(OpenResponse { answer: opened.answer, connection_id }))
    }

    async fn update(&self, request: Request<UpdateRequest>) -> Result<Response<UpdateResponse>, Status> {
        let device = caller(&request)?.device;
        let UpdateRequest { connection_id, tracks, wishes, sound_only } = request.into_inner();
        let connection = connection(&connection_id)?;
        let update = media::UpdateRequest { connection, device, tracks, wishes, sound_only };
        self.media.update(update).await.map_err(Refusal::from)?;
        Ok(Response::new(UpdateResponse {}))
    }

    async fn signals(
        &self,
        request: Request<SignalsRequest>,
    ) -> Result<Response<Self::SignalsStream>, Status> {
        let device = caller(&request)?.device;
        let connection = connection(&request.get_ref().connection_id)?;
        let mut signals = self.media.signals(connection, device).await.map_err(Refusal::from)?;
        let (outlet, items) = mpsc::channel(4);
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            loop {
                let signal = signals.borrow_and_update().clone();
                let ended = matches!(signal, Signal::Ended(_));
                let item = SignalsResponse { signal: Some(signal) };
                if outlet.send(Ok(item)).await.is_err() || ended {
                    return;
                }
                tokio::select! {
                    () = shutdown.cancelled() => return,
                    () = outlet.closed() => return,
                    changed = signals.changed() => if changed.is_err() { return },
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(items).boxed()))
    }

    async fn close(&self, request: Request<CloseRequest>) -> Result<Response<CloseResponse>, Status> {
        let device = caller(&request)?.device;
        self.media.close(connection(&request.get_ref().connection_id)?, device);
        Ok(Response::new(CloseResponse {}))
    }
}
