//! Who may enter: the four kinds of evidence, and what outranks them.

use std::sync::Arc;

use conclave_proto::types::v1 as wire;
use prost::{Message as _, bytes::Bytes};

use super::{
    policy::{Policy, Role},
    trust::Trust,
};
use crate::{
    group::Identity,
    identity::{
        address::{DeviceUri, UserAddress, UserKind},
        keys::SigningKey,
        pins,
        signed::{self, Label},
    },
    ids::{KeyPackageRef, MeetingId, SessionNumber},
    limits,
    time::Time,
};

/// The device does not get in. Only the last two are another's fault than the device's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The meeting is over.
    #[error("the meeting is over")]
    Ended,
    /// Nobody new gets in.
    #[error("the meeting is locked")]
    Locked,
    /// The address is banned.
    #[error("this address is banned from the meeting")]
    Banned,
    /// The meeting takes only users of certain organisations.
    #[error("the meeting does not admit people of this organisation")]
    Organisation,
    /// The meeting takes no guests.
    #[error("the meeting does not admit guests")]
    Guests,
    /// The token does not admit this device.
    #[error("the invitation does not admit this device: {0}")]
    Token(&'static str),
    /// The link has been changed, or the signature is another's.
    #[error("the link does not admit this device; it may have been changed")]
    Link,
    /// Nothing speaks for the device.
    #[error("nothing admits this device: it needs an invitation or the whole link")]
    NoEvidence,
    /// The issuer's certificates cannot be verified here.
    #[error("the invitation cannot be verified: {0}")]
    Issuer(#[source] pins::Error),
}

/// What admits a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The policy names its user host or co-host.
    Role,
    /// A token for its user.
    Token,
    /// The link.
    Link,
    /// Its domain is open.
    OpenDomain,
}

/// A device may enter, perhaps once a host says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// What admits it.
    pub by: By,
    /// Whether a host must let it in first.
    pub must_wait: bool,
}

/// What a Join says, as far as it matters here.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinView {
    /// The meeting.
    pub meeting: MeetingId,
    /// The session.
    pub session: SessionNumber,
    /// Who asks; proved by the KeyPackage's certificates.
    pub device: DeviceUri,
    /// The KeyPackage.
    pub key_package_ref: KeyPackageRef,
    /// When the Join ends.
    pub expires: Time,
    /// Why it may enter.
    pub evidence: Option<wire::evidence::Evidence>,
    /// Under which law its server stands, as far as it is known.
    pub jurisdiction: Option<String>,
}

/// Decides, in the order of MTG-12; `is_member`: the device is in the tree with the key that it asks with; `logged` is when
/// the Join entered the log.
pub fn admit(
    policy: &Policy,
    join: &JoinView,
    is_member: bool,
    trust: Trust<'_>,
    logged: Time,
) -> Result<Admission, Refused> {
    let rules = policy.rules();
    let user = join.device.user();
    let role = policy.role(user);
    if rules.ended {
        return Err(Refused::Ended);
    }
    // MTG-35: a lock keeps out who is new.
    if rules.locked && role != Role::Host && !is_member {
        return Err(Refused::Locked);
    }
    if policy.is_banned(user) {
        return Err(Refused::Banned); // MTG-13
    }
    if !rules.allowed_domains.is_empty() && !rules.allowed_domains.contains(user.domain()) {
        return Err(Refused::Organisation);
    }
    let foreign = |code: &String| !rules.allowed_jurisdictions.contains(code);
    if !rules.allowed_jurisdictions.is_empty() && join.jurisdiction.as_ref().is_some_and(foreign) {
        return Err(Refused::Organisation);
    }
    if role >= Role::CoHost {
        return Ok(Admission { by: By::Role, must_wait: false });
    }
    let guest = user.kind() == UserKind::Guest;
    if guest && !rules.guests_allowed {
        return Err(Refused::Guests);
    }
    let refused = match &join.evidence {
        Some(wire::evidence::Evidence::Token(token)) => match check_token(policy, join, token, trust, logged)
        {
            Ok(()) => return Ok(Admission { by: By::Token, must_wait: false }),
            Err(refused) => refused,
        },
        Some(wire::evidence::Evidence::LinkSignature(signature)) => {
            match check_link(policy, join, signature, trust) {
                Ok(()) => return Ok(Admission { by: By::Link, must_wait: rules.lobby }),
                Err(refused) => refused,
            }
        }
        None => Refused::NoEvidence,
    };
    if !guest && rules.open_domains.contains(user.domain()) {
        return Ok(Admission { by: By::OpenDomain, must_wait: rules.lobby });
    }
    Err(refused)
}

/// A token is good for one address, one meeting and a time, from somebody who may invite (spec: MTG-14).
fn check_token(
    policy: &Policy,
    join: &JoinView,
    signed: &wire::DeviceSigned,
    trust: Trust<'_>,
    logged: Time,
) -> Result<(), Refused> {
    let (inviter, token): (_, wire::AdmissionToken) = trust
        .open(Label::AdmissionToken, signed, |token: &wire::AdmissionToken| token.issued_ms)
        .map_err(Refused::Issuer)?;
    let (issued, expires) = (Time::from_ms(token.issued_ms), Time::from_ms(token.expires_ms));
    let failed = [
        (token.issuer == inviter.to_string(), "another device signed it than it says"),
        (token.meeting_id == join.meeting.as_bytes()[..], "it is for another meeting"),
        (token.address == join.device.user().to_string(), "it is for another address"),
        (policy.allows(inviter.user(), wire::Right::Invite), "its issuer may not invite"),
        (!policy.is_banned(inviter.user()), "its issuer is banned"),
        (issued >= policy.rules().tokens_not_before, "it has been withdrawn"),
        (issued <= logged + limits::CLOCK_SKEW, "it is from the future"),
        (logged <= expires + limits::CLOCK_SKEW, "it has expired"),
    ]
    .into_iter()
    .find_map(|(ok, why)| (!ok).then_some(why));
    failed.map_or(Ok(()), |why| Err(Refused::Token(why)))
}

/// The link key signs this very Join (spec: MTG-15).
fn check_link(policy: &Policy, join: &JoinView, signature: &[u8], trust: Trust<'_>) -> Result<(), Refused> {
    let key = policy.rules().link_key.ok_or(Refused::Link)?;
    trust.check_bytes(Label::Link, &link_bytes(join), signature, &key).map_err(|_| Refused::Link)
}

/// meeting || session || device URI || 0x00 || KeyPackageRef || expires, numbers as 64 bits, big-endian (spec: MTG-15).
fn link_bytes(join: &JoinView) -> Vec<u8> {
    [
        join.meeting.as_bytes().as_slice(),
        &join.session.0.to_be_bytes(),
        join.device.to_string().as_bytes(),
        &[0],
        join.key_package_ref.as_bytes(),
        &join.expires.as_ms().to_be_bytes(),
    ]
    .concat()
}

/// Evidence that the device holds the link's secret.
pub fn sign_link(join: &JoinView, link_key: &SigningKey) -> wire::evidence::Evidence {
    let signature = signed::sign_bytes(Label::Link, &link_bytes(join), link_key);
    wire::evidence::Evidence::LinkSignature(Bytes::copy_from_slice(&signature))
}

/// What an inviter decides.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The meeting.
    pub meeting: MeetingId,
    /// Who may enter.
    pub address: UserAddress,
    /// 16 random bytes.
    pub id: [u8; 16],
    /// What the inviter means the invitee to be; the policy decides.
    pub role: wire::Role,
    /// Now.
    pub issued: Time,
    /// When it ends.
    pub expires: Time,
}

/// Signs a token; that the signer may invite is checked when it is used.
pub fn sign_token(new: &NewToken, identity: &Identity) -> wire::DeviceSigned {
    let token = wire::AdmissionToken {
        meeting_id: Bytes::copy_from_slice(new.meeting.as_bytes()),
        address: new.address.to_string(),
        token_id: Bytes::copy_from_slice(&new.id),
        role: new.role.into(),
        issued_ms: new.issued.as_ms(),
        expires_ms: new.expires.as_ms(),
        issuer: identity.chain().claimed_uri().to_string(),
    };
    wire::DeviceSigned {
        signed: Some(signed::sign_message(Label::AdmissionToken, &token, identity.key())),
        certificate_chain: identity.chain().certificates().to_vec(),
    }
}

/// Whether a token that this device keeps may still admit it, as far as it can tell by itself.
pub fn may_stand(policy: &Policy, signed: &wire::DeviceSigned, now: Time) -> bool {
    let payload = signed.signed.as_ref().map(|signed| signed.payload.clone()).unwrap_or_default();
    let Ok(token) = wire::AdmissionToken::decode(payload) else { return false };
    let issuer = DeviceUri::parse(&token.issuer);
    let may_invite = |issuer: DeviceUri| {
        policy.allows(issuer.user(), wire::Right::Invite) && !policy.is_banned(issuer.user())
    };
    Time::from_ms(token.issued_ms) >= policy.rules().tokens_not_before
        && now <= Time::from_ms(token.expires_ms)
        && issuer.is_ok_and(may_invite)
}

/// A Join's view kept for the time until it is answered.
pub(super) type SharedView = Arc<JoinView>;
