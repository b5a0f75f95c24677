//! Invitations and bounces that wait for this organisation's users, until one of their devices has stored them.

use conclave_core::identity::address::{DeviceUri, Domain, UserAddress};
use conclave_proto::{
    client::v1::{ReceiveResponse, receive_response::Item},
    types::v1::{Bounce, SealedInvitation},
};
use prost::Message;

use crate::{
    refusal::Refusal,
    store::{self, Batch, Watch, schema},
};

/// Most items that may wait for one user.
pub const WAITING: usize = 1_000;
/// Longest id and largest sealed content of an invitation, bytes.
const SEALED_BYTES: usize = 48 * 1_024;
/// Longest text of a bounce, characters.
const REASON_CHARACTERS: usize = 200;

/// What waits for the users of one domain.
#[derive(Clone)]
pub struct Inbox {
    store: store::Shared,
    domain: Domain,
}

/// Whether an invitation could be put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is on the disk.
    Stored,
    /// There is no such device.
    Unknown,
    /// The user's inbox is full.
    Full,
}

impl Inbox {
    /// Of this domain's users.
    pub const fn new(store: store::Shared, domain: Domain) -> Self {
        Self { store, domain }
    }

    /// Puts an invitation there for its recipient's device; durable on return, harmless if repeated.
    pub async fn deliver(&self, invitation: &SealedInvitation) -> store::Result<Delivery> {
        let Ok(recipient) = DeviceUri::parse(&invitation.recipient) else { return Ok(Delivery::Unknown) };
        let name = schema::user_name(recipient.user());
        let device = schema::device(&name, recipient.device());
        if recipient.domain() != &self.domain || self.store.get(device.as_bytes()).await?.is_none() {
            return Ok(Delivery::Unknown);
        }
        if self.store.scan(schema::invitations_in(&name).range(), WAITING).await?.len() >= WAITING {
            return Ok(Delivery::Full);
        }
        let key = schema::invitation_in(&name, &invitation.invitation_id);
        let item = ReceiveResponse { item: Some(Item::Invitation(invitation.clone())) };
        self.store.apply(Batch::new().put(key, item.encode_to_vec())).await?;
        Ok(Delivery::Stored)
    }

    /// What a bounce writes; for the batch that ends the invitation's journey.
    pub fn bounced(&self, invitation: &SealedInvitation, bounce: Bounce) -> Batch {
        match UserAddress::parse(&invitation.sender) {
            Ok(sender) if sender.domain() == &self.domain => {
                let key = schema::invitation_in(&schema::user_name(&sender), &invitation.invitation_id);
                let item = ReceiveResponse { item: Some(Item::Bounce(bounce)) };
                Batch::new().put(key, item.encode_to_vec())
            }
            _ => Batch::new(),
        }
    }

    /// What waits for one device: invitations sealed to it, and its user's bounces.
    pub async fn waiting(&self, device: &DeviceUri) -> store::Result<Vec<ReceiveResponse>> {
        let range = schema::invitations_in(&schema::user_name(device.user())).range();
        let uri = device.to_string();
        let all: Vec<(_, ReceiveResponse)> = schema::list(&*self.store, range, WAITING).await?;
        let for_device = |item: &ReceiveResponse| match &item.item {
            Some(Item::Invitation(invitation)) => invitation.recipient == uri,
            Some(Item::Bounce(_)) => true,
            None => false,
        };
        Ok(all.into_iter().map(|(_, item)| item).filter(for_device).collect())
    }

    /// A notice when something new waits for a user.
    pub fn watch(&self, user: &UserAddress) -> Watch {
        self.store.watch(schema::invitations_in(&schema::user_name(user)).as_bytes())
    }

    /// Forgets what a device has stored; only what was for that device.
    pub async fn acknowledge(&self, device: &DeviceUri, ids: &[bytes::Bytes]) -> store::Result<()> {
        let mine = self.waiting(device).await?;
        let name = schema::user_name(device.user());
        let batch = mine.iter().filter_map(id_of).filter(|id| ids.contains(*id));
        let batch = batch.fold(Batch::new(), |batch, id| batch.delete(schema::invitation_in(&name, id)));
        if batch.is_empty() { Ok(()) } else { self.store.apply(batch).await }
    }
}

/// The id of what waits.
pub const fn id_of(item: &ReceiveResponse) -> Option<&bytes::Bytes> {
    match &item.item {
        Some(Item::Invitation(invitation)) => Some(&invitation.invitation_id),
        Some(Item::Bounce(bounce)) => Some(&bounce.invitation_id),
        None => None,
    }
}

/// Whether an invitation is of its form: ids, sizes, addresses.
pub fn check_form(invitation: &SealedInvitation) -> Result<(UserAddress, DeviceUri), Refusal> {
    let sealed = invitation.ciphertext.len() + invitation.encapsulated_key.len();
    if sealed > SEALED_BYTES {
        return Err(Refusal::TOO_LARGE);
    }
    if invitation.invitation_id.len() != 16 || invitation.ciphertext.is_empty() {
        return Err(Refusal::MALFORMED);
    }
    let sender = UserAddress::parse(&invitation.sender).map_err(|_| Refusal::MALFORMED)?;
    let recipient = DeviceUri::parse(&invitation.recipient).map_err(|_| Refusal::MALFORMED)?;
    Ok((sender, recipient))
}

/// A bounce of an invitation, now.
pub fn bounce(invitation: &SealedInvitation, reason: &str) -> Bounce {
    Bounce {
        invitation_id: invitation.invitation_id.clone(),
        recipient: invitation.recipient.clone(),
        reason: reason.to_owned(),
        time_ms: crate::clock::now().as_ms(),
    }
}

/// Another server's text, cut and without control characters.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REASON_CHARACTERS).collect()
}
