//! What the rest of the server wants of a meeting that is ordered here, and the way to its task.

use std::sync::Arc;

use conclave_core::{
    identity::address::{DeviceUri, Domain},
    ids::{Epoch, LeafIndex, SessionNumber},
    meeting::hub::Receipt,
};
use conclave_proto::{
    client::v1::LookUpMeetingResponse,
    federation::v1::MirrorResponse,
    types::v1::{DeviceSigned, Look, ServerSigned, Signed, WithdrawBasis},
};
use tokio::sync::{mpsc, oneshot};

use super::{house::WatchOrder, watcher::Outlet};
use crate::refusal::Refusal;

/// The answer to an order.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What the rest of the server wants of a meeting.
#[derive(Debug)]
pub enum Order {
    /// The record, the policies and the session.
    LookUp(Option<Look>, Reply<LookUpMeetingResponse>),
    /// How many devices are in the room, and whether the meeting is over for good.
    Summary(Reply<(u32, bool)>),
    /// Put a submission into the log.
    Submit {
        /// The domain that hands it in.
        from: Domain,
        /// As the device signed it.
        submission: Signed,
        /// A Welcome.
        attachment: bytes::Bytes,
        /// Where it stands.
        reply: Reply<Receipt>,
    },
    /// A domain takes out its own.
    Withdraw {
        /// The domain that hands it in.
        from: Domain,
        /// As it signed it.
        withdraw: ServerSigned,
        /// Where it stands.
        reply: Reply<Receipt>,
    },
    /// A domain says whether its own device can be reached.
    Attend {
        /// The domain that hands it in.
        from: Domain,
        /// As it signed it.
        attendance: ServerSigned,
        /// Taken.
        reply: Reply<Receipt>,
    },
    /// Change the policy while no session runs.
    ChangePolicy {
        /// The domain that hands it in.
        from: Domain,
        /// As the device signed it.
        statement: DeviceSigned,
        /// Done.
        reply: Reply<Receipt>,
    },
    /// An own device follows a session.
    Watch(WatchOrder),
    /// The ratchet tree that a joiner needs.
    Tree {
        /// Who asks.
        device: DeviceUri,
        /// Which session.
        session: SessionNumber,
        /// Which epoch.
        epoch: Epoch,
        /// Its bytes.
        reply: Reply<Arc<[u8]>>,
    },
    /// The leaf of an own device, if it is a member.
    Leaf(DeviceUri, SessionNumber, Reply<LeafIndex>),
    /// The own devices that are in the room or ask to enter it.
    OwnDevices(Reply<Vec<DeviceUri>>),
    /// Another server mirrors a session.
    Follow {
        /// Which server.
        domain: Domain,
        /// Which session.
        session: SessionNumber,
        /// The first sequence wanted.
        next_sequence: u64,
        /// Where the items go.
        outlet: Outlet<MirrorResponse>,
        /// Whether it may.
        reply: Reply<()>,
    },
    /// Another server mirrors a session no more; a word on an earlier session is none on the one that runs.
    Unfollow(Domain, SessionNumber),
    /// An own user or device is taken out, if it is in.
    Evict(String, WithdrawBasis),
}

/// The way to a meeting's task.
#[derive(Clone, Debug)]
pub struct Handle(pub(super) mpsc::Sender<Order>);

impl Handle {
    /// Hands in an order and waits for its answer.
    pub async fn ask<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.tell(order(reply)).await?;
        answer.await.map_err(|_| Refusal::UNAVAILABLE)?
    }

    /// Hands in an order.
    pub async fn tell(&self, order: Order) -> Result<(), Refusal> {
        self.0.send(order).await.map_err(|_| Refusal::UNAVAILABLE)
    }

    /// Whether the task has ended.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// Answers; whoever asked may be gone.
pub fn answer<T>(reply: Reply<T>, value: Result<T, Refusal>) {
    let _gone = reply.send(value);
}
