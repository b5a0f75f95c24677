//! One device's WebRTC connection: str0m, what it publishes, and its slots.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Instant,
};

use conclave_core::{
    identity::address::DeviceUri,
    ids::{LeafIndex, TrackNumber},
    media::{
        Codec, Layer, Medium, Track,
        router::{ClientId, PathReport, TrackId},
    },
};
use conclave_proto::client::v1::{Ended, SlotTable, signals_response::Signal};
use str0m::{
    Input, Output, Rtc,
    media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt, Rid},
    net::Receive,
    rtp::{RtpWrite, Ssrc},
    stats::PeerStats,
};
use tokio::sync::watch;

use super::{
    demux::Path,
    descriptor::{self, Meaning},
    error::Error,
    offer::Answered,
    packet::Packet,
    rates::Tally,
    slot::{Rewritten, Slot},
};

/// What a section of the offer carries, as the device says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) mid: Mid,
    pub(super) track: Track,
}

/// A stream that comes, as it is known once its first packet was there.
#[derive(Debug)]
pub(super) struct Source {
    ssrc: Ssrc,
    published: Published,
    pub(super) place: Place,
    pub(super) seen: Instant,
    /// Packets came lately.
    pub(super) is_alive: bool,
    meaning: Meaning,
    /// Since the rates were last looked at.
    pub(super) tally: Tally,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) track: TrackId,
    pub(super) layer: Layer,
    pub(super) codec: Codec,
    pub(super) number: TrackNumber,
}

/// What is known of a packet's stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) place: Place,
    /// Nothing of it came lately.
    pub(super) is_new: bool,
    /// Its descriptors cannot be read before its next key frame.
    pub(super) lacks_key_frame: bool,
}

/// What became of a packet for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sending {
    /// It is not sent.
    Not,
    /// The first of what the slot now carries.
    Began,
    /// One more.
    Goes,
}

/// One device's connection.
#[allow(clippy::struct_excessive_bools)] // Independent marks, not states of one thing.
pub(super) struct Client {
    pub(super) id: ClientId,
    pub(super) device: DeviceUri,
    pub(super) leaf: LeafIndex,
    /// When it wants to be woken.
    pub(super) deadline: Instant,
    /// It stands in the list of those that must be polled.
    pub(super) listed: bool,
    /// Packets were written to it since it last knew the time.
    pub(super) unsent: bool,
    /// ICE and DTLS are done; what was sent before would be lost.
    pub(super) connected: bool,
    pub(super) slots: Vec<Slot>,
    pub(super) published: Vec<Published>,
    pub(super) sources: Vec<Source>,
    signals: watch::Sender<Signal>,
    sending: Vec<(Mid, Medium)>,
    /// Bytes of media sent by the last report.
    sent: u64,
    rtc: Rtc,
    /// str0m panicked; nothing more is asked of it.
    broken: bool,
}

impl Client {
    /// From an answered offer.
    pub(super) fn new(id: ClientId, device: DeviceUri, leaf: LeafIndex, answered: Answered) -> Self {
        let Answered { rtc, sections, deadline, .. } = answered;
        let mut slots = Vec::new();
        let mut sending = Vec::new();
        for (mid, kind, direction) in sections {
            let medium = medium(kind);
            match direction {
                Direction::SendOnly => {
                    slots.push(Slot::new(mid, medium, descriptor::is_negotiated(&rtc, mid)));
                }
                Direction::RecvOnly => sending.push((mid, medium)),
                Direction::SendRecv | Direction::Inactive => {}
            }
        }
        let (signals, _) = watch::channel(Signal::Slots(SlotTable::default()));
        Self {
            id,
            device,
            leaf,
            deadline,
            listed: false,
            unsent: false,
            connected: false,
            slots,
            published: Vec::new(),
            sources: Vec::new(),
            signals,
            sending,
            sent: 0,
            rtc,
            broken: false,
        }
    }

    /// Takes note of what its sections carry.
    pub(super) fn publish(&mut self, published: Vec<Published>) -> Result<(), Error> {
        for (at, new) in published.iter().enumerate() {
            let section = self.sending.iter().find(|(mid, _)| *mid == new.mid).ok_or(Error::Track)?;
            let twice = published
                .iter()
                .skip(at + 1)
                .any(|other| other.mid == new.mid || other.track.number == new.track.number);
            if section.1 != new.track.kind.medium() || twice {
                return Err(Error::Track);
            }
        }
        // What goes on keeps what is known of it: its next key frame may be far.
        self.sources.retain(|source| published.contains(&source.published));
        self.published = published;
        Ok(())
    }

    /// A packet that may be its own; whether it was.
    pub(super) fn receive(&mut self, now: Instant, path: Path, at: SocketAddr, bytes: &[u8]) -> bool {
        let accepted = self.guarded(|rtc| {
            let Ok(contents) = bytes.try_into() else { return false };
            let receive = Receive { proto: path.proto, source: path.remote, destination: at, contents };
            let input = Input::Receive(now, receive);
            if !rtc.accepts(&input) {
                return false;
            }
            if let Err(error) = rtc.handle_input(input) {
                tracing::debug!(%error, "a media packet was not taken");
            }
            true
        });
        accepted == Some(true)
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) {
        self.unsent = false;
        self.guarded(|rtc| {
            if let Err(error) = rtc.handle_input(Input::Timeout(now)) {
                tracing::debug!(%error, "a media connection failed");
                rtc.disconnect();
            }
        });
    }

    /// The next thing to do; `None` if the connection is over.
    pub(super) fn poll(&mut self) -> Option<Output> {
        self.guarded(|rtc| if rtc.is_alive() { rtc.poll_output().ok() } else { None }).flatten()
    }

    /// Which stream a packet belongs to, and whether that is new; `None` if the device has not said what its section carries. What
    /// the packet's descriptor says is read by the way.
    pub(super) fn source(
        &mut self,
        ssrc: Ssrc,
        now: Instant,
        packet: &mut Packet,
        find: impl FnOnce(&DeviceUri, &Track) -> Option<TrackId>,
    ) -> Option<Found> {
        let at = match self.sources.iter().position(|source| source.ssrc == ssrc) {
            Some(at) => at,
            None => self.add_source(ssrc, now, find)?,
        };
        let source = self.sources.get_mut(at)?;
        source.seen = now;
        let lacks_key_frame = source.meaning.read(now, packet);
        source.tally.add(packet.described, packet.payload.len());
        Some(Found { place: source.place, is_new: !source.is_alive, lacks_key_frame })
    }

    /// What came of a stream is its own.
    pub(super) fn came(&mut self, ssrc: Ssrc) {
        if let Some(source) = self.sources.iter_mut().find(|source| source.ssrc == ssrc) {
            source.is_alive = true;
        }
    }

    /// Says of which streams nothing came since then. What their descriptors mean stays known, unless another stream took their
    /// place.
    pub(super) fn fall_silent(&mut self, since: Instant) -> Vec<(TrackId, Layer)> {
        let mut silent = Vec::new();
        for source in self.sources.iter_mut().filter(|source| source.is_alive && source.seen < since) {
            source.is_alive = false;
            silent.push((source.place.track, source.place.layer));
        }
        silent
    }

    fn add_source(
        &mut self,
        ssrc: Ssrc,
        now: Instant,
        find: impl FnOnce(&DeviceUri, &Track) -> Option<TrackId>,
    ) -> Option<usize> {
        let (mid, rid) = self.guarded(|rtc| {
            let mut direct = rtc.direct_api();
            direct.stream_rx(&ssrc).map(|stream| (stream.mid(), stream.rid()))
        })??;
        let published = self.published.iter().find(|published| published.mid == mid)?;
        let layer = layer_of(rid)?;
        let published = *published;
        let place = Place {
            track: find(&self.device, &published.track)?,
            layer: published.track.layer(layer)?.layer,
            codec: published.track.codec,
            number: published.track.number,
        };
        self.sources.retain(|old| old.is_alive || (old.place.track, old.place.layer) != (place.track, layer));
        let (meaning, tally) = (Meaning::default(), Tally::default());
        self.sources.push(Source { ssrc, published, place, seen: now, is_alive: false, meaning, tally });
        Some(self.sources.len() - 1)
    }

    /// Sends a packet in a slot, if the slot can place it.
    pub(super) fn send(
        &mut self,
        slot: usize,
        now: Instant,
        (track, layer, codec): (TrackId, Layer, Codec),
        packet: &Packet,
    ) -> Sending {
        let Some(slot) = self.slots.get_mut(slot).filter(|_| self.connected) else { return Sending::Not };
        let Some(Rewritten { sequence, timestamp, number, began }) =
            slot.rewrite(now, (track, layer, codec), packet)
        else {
            return Sending::Not;
        };
        let mid = slot.mid;
        let sent = self.guarded(|rtc| {
            let pt = payload_type(rtc, mid, codec)?;
            let mut direct = rtc.direct_api();
            let stream = direct.stream_tx_by_mid(mid, None)?;
            stream.write_rtp(
                RtpWrite::new(pt, sequence.into(), timestamp, now, packet.payload.clone())
                    .marker(packet.marker)
                    .ext_vals(packet.extensions(number))
                    .nackable(codec.medium() == Medium::Video),
            );
            Some(())
        });
        self.unsent = true;
        #[cfg(feature = "wiretap")]
        super::wiretap::sent(&self.device, &packet.payload);
        match sent.flatten() {
            None => Sending::Not,
            Some(()) if began => Sending::Began,
            Some(()) => Sending::Goes,
        }
    }

    /// What its path carried since the last report.
    pub(super) fn report(&mut self, stats: &PeerStats) -> PathReport {
        let sent = stats.bytes_tx.saturating_sub(self.sent) * 8;
        self.sent = stats.bytes_tx;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // A part of one.
        let lost = (stats.egress_loss_fraction.unwrap_or(0.0).clamp(0.0, 1.0) * 1_000.0) as u64;
        PathReport { sent, lost, round_trip: stats.rtt }
    }

    /// Asks the device for a key frame of one of its tracks.
    pub(super) fn request_key_frame(&mut self, track: Track, layer: Layer) {
        let Some(mid) = self.published.iter().find(|published| published.track == track).map(|p| p.mid)
        else {
            return;
        };
        // A section with rids may carry a track of one layer.
        let rids = [Some(Rid::from(layer.number().to_string().as_str())), None];
        self.guarded(|rtc| {
            let mut direct = rtc.direct_api();
            for rid in rids {
                if let Some(stream) = direct.stream_rx_by_mid(mid, rid) {
                    return stream.request_keyframe(KeyframeRequestKind::Pli);
                }
            }
        });
    }

    /// What is in its slots, and whether it ended, as it changes.
    pub(super) fn signals(&self) -> watch::Receiver<Signal> {
        self.signals.subscribe()
    }

    /// Says something to the device.
    pub(super) fn signal(&self, signal: Signal) {
        self.signals.send_replace(signal);
    }

    /// Ends the connection: the device is told, the peer gets DTLS's farewell with what is polled next.
    pub(super) fn end(&mut self, reason: &str) {
        self.signal(Signal::Ended(Ended { reason: reason.to_owned() }));
        self.guarded(|rtc| {
            if rtc.close().is_err() {
                rtc.disconnect();
            }
        });
    }

    /// Whether str0m panicked.
    pub(super) const fn is_broken(&self) -> bool {
        self.broken
    }

    /// A panic inside str0m ends one connection, not a thread (str0m says that it may panic on its own faults).
    fn guarded<T>(&mut self, ask: impl FnOnce(&mut Rtc) -> T) -> Option<T> {
        if self.broken {
            return None;
        }
        let rtc = &mut self.rtc;
        let result = catch_unwind(AssertUnwindSafe(|| ask(rtc)));
        self.broken = result.is_err();
        result.ok()
    }
}

/// The medium of a section.
pub(super) const fn medium(kind: MediaKind) -> Medium {
    match kind {
        MediaKind::Audio => Medium::Audio,
        MediaKind::Video => Medium::Video,
    }
}

/// The layer that a rid names: its number in decimal; without a rid there is one layer (spec: MED-17).
fn layer_of(rid: Option<Rid>) -> Option<Layer> {
    match rid {
        None => Some(Layer::BASE),
        Some(rid) => Layer::new(rid.parse().ok()?),
    }
}

/// The payload type that the client's offer gave a codec.
fn payload_type(rtc: &Rtc, mid: Mid, codec: Codec) -> Option<Pt> {
    let offered = rtc.media(mid)?.remote_pts();
    let wanted = match codec {
        Codec::Opus => str0m::format::Codec::Opus,
        Codec::Vp8 => str0m::format::Codec::Vp8,
    };
    let mut params = rtc.codec_config().params().iter();
    params
        .find(|params| params.spec().codec == wanted && offered.contains(&params.pt()))
        .map(str0m::format::PayloadParams::pt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn med_17_rids_are_layer_numbers() {
        assert_eq!(layer_of(None), Some(Layer::BASE));
        assert_eq!(layer_of(Some("2".into())), Layer::new(2));
        assert_eq!(layer_of(Some("4".into())), None);
        assert_eq!(layer_of(Some("hi".into())), None);
    }
}
