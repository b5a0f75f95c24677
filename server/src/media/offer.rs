//! Reading an offer and answering it.

use std::{
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use conclave_core::limits;
use str0m::{
    Candidate, Output, Rtc,
    change::SdpOffer,
    config::DtlsCert,
    media::{Direction, MediaKind, Mid},
    net::{Protocol, TcpType},
};

use super::{demux::Path, descriptor, error::Error};

/// How often a connection tells how its path does.
const REPORTS: Duration = Duration::from_secs(1);
/// The one transport: DTLS-SRTP.
const TRANSPORT: &str = "UDP/TLS/RTP/SAVPF";

/// Where this server's media is reached.
pub(super) struct Addresses {
    pub(super) udp: Vec<SocketAddr>,
    /// The public HTTPS port (spec: MED-18).
    pub(super) tcp: Vec<SocketAddr>,
}

impl Addresses {
    /// The own end of a path.
    pub(super) fn of(&self, path: Path) -> Option<SocketAddr> {
        let own = if path.proto == Protocol::Udp { &self.udp } else { &self.tcp };
        own.iter().find(|own| own.is_ipv4() == path.remote.is_ipv4()).or(own.first()).copied()
    }
}

/// An answered offer.
pub(super) struct Answered {
    pub(super) rtc: Rtc,
    /// The sections in their order: what each carries and which way, as this server sees it.
    pub(super) sections: Vec<(Mid, MediaKind, Direction)>,
    /// When the connection wants to be woken.
    pub(super) deadline: Instant,
    /// The ICE user name that the client will send.
    pub(super) name: String,
    /// The SDP answer.
    pub(super) answer: String,
}

/// Answers an offer on behalf of the addresses where this server is reached.
pub(super) fn answer(
    offer: &str,
    addresses: &Addresses,
    certificate: &DtlsCert,
    now: Instant,
) -> Result<Answered, Error> {
    check(offer)?;
    catch_unwind(AssertUnwindSafe(|| answer_checked(offer, addresses, certificate, now)))
        .unwrap_or(Err(Error::Offer))
}

/// Bounds an offer before it is parsed (spec: MED-12).
fn check(offer: &str) -> Result<(), Error> {
    if offer.len() > limits::OFFER_BYTES || offer.lines().count() > limits::OFFER_LINES {
        return Err(Error::TooLarge);
    }
    let mut sections = offer.lines().filter_map(|line| line.strip_prefix("m="));
    if sections.clone().count() > limits::OFFER_SECTIONS
        || offer.lines().filter(|line| line.starts_with("a=candidate:")).count() > limits::OFFER_CANDIDATES
    {
        return Err(Error::TooLarge);
    }
    let encrypted = sections.all(|section| section.split(' ').nth(2) == Some(TRANSPORT));
    if encrypted { Ok(()) } else { Err(Error::Offer) }
}

fn answer_checked(
    offer: &str,
    addresses: &Addresses,
    certificate: &DtlsCert,
    now: Instant,
) -> Result<Answered, Error> {
    let mids: Vec<Mid> =
        offer.lines().filter_map(|line| line.strip_prefix("a=mid:")).map(Mid::from).collect();
    let offer = SdpOffer::from_sdp_string(offer).map_err(|_| Error::Offer)?;
    let mut rtc = Rtc::builder()
        .clear_codecs()
        .enable_opus(true, false)
        .enable_vp8(true)
        .set_rtp_mode(true)
        .set_extension(descriptor::ID, descriptor::extension())
        .set_ice_lite(true)
        .set_stats_interval(Some(REPORTS))
        .set_dtls_cert(certificate.clone())
        .build(now);
    for address in &addresses.udp {
        rtc.add_local_candidate(Candidate::host(*address, "udp").map_err(|_| Error::Unavailable)?);
    }
    for address in &addresses.tcp {
        let candidate = Candidate::builder().tcp().host(*address).tcptype(TcpType::Passive).build();
        rtc.add_local_candidate(candidate.map_err(|_| Error::Unavailable)?);
    }
    let answer = rtc.sdp_api().accept_offer(offer).map_err(|error| {
        tracing::debug!(%error, "an offer was refused");
        Error::Offer
    })?;
    let name = rtc.direct_api().local_ice_credentials().ufrag;
    let deadline = loop {
        match rtc.poll_output().map_err(|_| Error::Offer)? {
            Output::Timeout(deadline) => break deadline,
            Output::Event(_) | Output::Transmit(_) => {}
        }
    };
    let sections =
        mids.iter().filter_map(|mid| rtc.media(*mid)).map(|m| (m.mid(), m.kind(), m.direction())).collect();
    Ok(Answered { rtc, sections, deadline, name, answer: answer.to_sdp_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn med_12_c20_oversize_and_unencrypted_offers_are_refused() {
        let section = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n";
        assert_eq!(check(section), Ok(()));
        assert_eq!(check("m=audio 9 RTP/AVP 0\r\n"), Err(Error::Offer));
        assert_eq!(check("m=audio 9\r\n"), Err(Error::Offer));
        assert_eq!(check("m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"), Err(Error::Offer));
        assert_eq!(check(&section.repeat(65)), Err(Error::TooLarge));
        assert_eq!(check(&"a=x\r\n".repeat(10_000)), Err(Error::TooLarge));
        assert_eq!(check(&"a=candidate:1\r\n".repeat(65)), Err(Error::TooLarge));
        assert_eq!(check(&"x".repeat(70_000)), Err(Error::TooLarge));
    }
}
