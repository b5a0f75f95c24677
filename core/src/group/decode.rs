//! MLS messages out of bytes: never larger than the limit for their kind, never of another kind (spec: GRP-08).

use openmls::{
    messages::group_info::VerifiableGroupInfo,
    prelude::{
        ContentType, KeyPackageIn, MlsMessageBodyIn, MlsMessageIn, ProtocolMessage, PublicMessageIn,
        RatchetTreeIn, Sender, Welcome,
    },
};
use tls_codec::Deserialize as _;

use super::{Error, Forbidden, tree};
use crate::{
    ids::{Epoch, GroupId},
    limits,
};

fn message(bytes: &[u8], what: &'static str, limit: usize) -> Result<MlsMessageBodyIn, Error> {
    if bytes.len() > limit {
        return Err(Error::TooLarge { what, bytes: bytes.len(), limit });
    }
    MlsMessageIn::tls_deserialize_exact(bytes).map(MlsMessageIn::extract).map_err(|_| Error::Malformed(what))
}

pub(super) fn key_package(bytes: &[u8]) -> Result<KeyPackageIn, Error> {
    match message(bytes, "KeyPackage", limits::KEY_PACKAGE_BYTES)? {
        MlsMessageBodyIn::KeyPackage(key_package) => Ok(key_package),
        _ => Err(Error::Malformed("KeyPackage")),
    }
}

pub(super) fn welcome(bytes: &[u8]) -> Result<Welcome, Error> {
    match message(bytes, "Welcome", limits::WELCOME_BYTES)? {
        MlsMessageBodyIn::Welcome(welcome) => Ok(welcome),
        _ => Err(Error::Malformed("Welcome")),
    }
}

pub(super) fn group_info(bytes: &[u8]) -> Result<VerifiableGroupInfo, Error> {
    match message(bytes, "GroupInfo", limits::GROUP_INFO_BYTES)? {
        MlsMessageBodyIn::GroupInfo(group_info) => Ok(group_info),
        _ => Err(Error::Malformed("GroupInfo")),
    }
}

pub(super) fn ratchet_tree(bytes: &[u8]) -> Result<RatchetTreeIn, Error> {
    tree::check_size(bytes)?;
    RatchetTreeIn::tls_deserialize_exact(bytes).map_err(|_| Error::Malformed("ratchet tree"))
}

/// A commit by a member, in the clear; everything else is refused before MLS looks at it (spec: GRP-05).
pub(super) fn handshake(bytes: &[u8]) -> Result<PublicMessageIn, Error> {
    let MlsMessageBodyIn::PublicMessage(message) = message(bytes, "commit", limits::HANDSHAKE_BYTES)? else {
        return Err(Error::Malformed("commit"));
    };
    match (message.content_type(), message.sender()) {
        (ContentType::Commit, Sender::Member(_)) => Ok(message),
        (ContentType::Commit, _) => Err(Forbidden::ExternalCommit.into()),
        (ContentType::Proposal, _) => Err(Forbidden::StandaloneProposal.into()),
        (ContentType::Application, _) => Err(Error::Malformed("commit")),
    }
}

/// An encrypted application message.
pub(super) fn private_message(bytes: &[u8]) -> Result<ProtocolMessage, Error> {
    let what = "private message";
    let body = message(bytes, what, limits::PRIVATE_MESSAGE_BYTES)?;
    let MlsMessageBodyIn::PrivateMessage(message) = body else { return Err(Error::Malformed(what)) };
    let message = ProtocolMessage::from(message);
    if message.content_type() == ContentType::Application { Ok(message) } else { Err(Error::Malformed(what)) }
}

/// What a server can read of an application message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrivateHeader {
    /// For which group.
    pub group_id: GroupId,
    /// For which epoch.
    pub epoch: Epoch,
}

/// Reads what stands in the clear in an application message (MLSMessage with a PrivateMessage).
pub fn private_header(bytes: &[u8]) -> Result<PrivateHeader, Error> {
    let message = private_message(bytes)?;
    let group_id = GroupId::parse(message.group_id().as_slice()).map_err(|_| Error::WrongGroup)?;
    Ok(PrivateHeader { group_id, epoch: Epoch(message.epoch().as_u64()) })
}
