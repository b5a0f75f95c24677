//! A look at a meeting from outside: who may know how many are inside and of which organisations, before asking to enter.

use std::{collections::BTreeSet, time::Duration};

use conclave_proto::types::v1 as wire;

use super::{
    admission::{self, JoinView},
    hub::Hub,
    link::LinkSecret,
    trust::Trust,
};
use crate::{
    identity::{address::DeviceUri, pins::Pins},
    ids::{KeyPackageRef, MeetingId, SessionNumber},
    limits,
    time::Time,
};

/// What the evidence of a look is made over: no session has this number and no KeyPackage this hash, so it admits nobody.
fn view(meeting: MeetingId, device: DeviceUri, expires: Time) -> JoinView {
    JoinView {
        meeting,
        session: SessionNumber(0),
        device,
        key_package_ref: KeyPackageRef::from_bytes([0; 32]),
        expires,
        evidence: None,
        jurisdiction: None,
    }
}

/// Asks to be told who is inside, by a token or by the link's secret.
pub fn ask(
    meeting: MeetingId,
    device: &DeviceUri,
    token: Option<wire::DeviceSigned>,
    secret: Option<&LinkSecret>,
    now: Time,
) -> wire::Look {
    let expires = now + limits::JOIN_LIFETIME;
    let link = || Some(admission::sign_link(&view(meeting, device.clone(), expires), &secret?.link_key()));
    let evidence = token.map(wire::evidence::Evidence::Token).or_else(link);
    let evidence = Some(wire::Evidence { evidence });
    wire::Look { device: device.to_string(), evidence, expires_ms: expires.as_ms() }
}

/// Who is inside, for one who could enter or wait (spec: MTG-34); of a device that its own server vouches for.
pub fn inside(hub: &Hub, look: &wire::Look, pins: &Pins, now: Time) -> Option<wire::Inside> {
    let room = hub.room().filter(|room| room.is_founded() && !room.is_over())?;
    let device = DeviceUri::parse(&look.device).ok()?;
    let expires = Time::from_ms(look.expires_ms);
    if expires < now || expires.since(now) > limits::JOIN_LIFETIME + SKEW {
        return None;
    }
    let trust = Trust::Verify(pins);
    let mut asks = view(hub.record().id(), device, expires);
    asks.evidence = look.evidence.clone().and_then(|evidence| evidence.evidence);
    asks.jurisdiction = trust.jurisdiction(asks.device.domain());
    admission::admit(hub.policy_chain().tip(), &asks, false, trust, now).ok()?;
    let present: Vec<_> = room.present().map(|member| member.device.domain().to_string()).collect();
    let domains: BTreeSet<_> = present.iter().cloned().collect();
    let present = u32::try_from(present.len()).unwrap_or(u32::MAX);
    Some(wire::Inside { present, domains: domains.into_iter().take(limits::LOOKED_AT_DOMAINS).collect() })
}

/// A device's clock may be ahead.
const SKEW: Duration = limits::CLOCK_SKEW;
