//! What is stored of meetings besides their logs.

use std::sync::Arc;

use conclave_core::{
    ids::{MeetingId, SessionNumber},
    meeting::{Error, log::Entry, policy::PolicyChain, record::Record, trust::Trust},
    time::Time,
};
use conclave_proto::types::v1::DeviceSigned;
use prost::Message;

use super::journal::{Journal, Stored};
use crate::store::{
    self, Batch,
    schema::{self, Area, Key},
};

/// One session, at hub and follower alike.
#[derive(Clone, PartialEq, Message)]
pub struct SessionRow {
    /// Every change of policy since the record, as the session began.
    #[prost(message, repeated, tag = "1")]
    pub policy_chain: Vec<DeviceSigned>,
    /// Whether it is over, or not followed any more.
    #[prost(bool, tag = "2")]
    pub over: bool,
    /// When it opened here, Unix milliseconds.
    #[prost(uint64, tag = "3")]
    pub opened_ms: u64,
}

/// One meeting in a user's list.
#[derive(Clone, PartialEq, Message)]
pub struct UserMeetingRow {
    /// When it came into the list, Unix milliseconds.
    #[prost(uint64, tag = "1")]
    pub since_ms: u64,
}

/// The record of a meeting that this server orders or follows.
pub async fn record(store: &dyn store::Store, id: &MeetingId) -> store::Result<Option<Record>> {
    let Some(signed) = schema::read::<DeviceSigned>(store, &schema::meeting(id)).await? else {
        return Ok(None);
    };
    Record::open(&signed, Trust::Stored)
        .map(Some)
        .map_err(|_| store::Error::Damaged("a meeting's record".to_owned()))
}

/// A meeting's last session.
pub async fn last_session(
    store: &dyn store::Store,
    id: &MeetingId,
) -> store::Result<Option<(SessionNumber, SessionRow)>> {
    let range = Key::area(Area::MeetingSessions).bytes(id.as_bytes()).range().backward();
    let found = schema::list::<SessionRow>(store, range, 1).await?;
    Ok(found.into_iter().next().map(|(key, row)| (SessionNumber(schema::number_of(&key)), row)))
}

/// The sessions that are not over, in which this server must go on after a restart.
pub async fn running(store: &dyn store::Store) -> store::Result<Vec<(MeetingId, SessionNumber)>> {
    let rows =
        schema::list::<SessionRow>(store, Key::area(Area::MeetingSessions).range(), usize::MAX).await?;
    let running = rows.into_iter().filter(|(_, row)| !row.over);
    let named = |(key, _): (Vec<u8>, SessionRow)| {
        Some((MeetingId::parse(key.get(1..33)?).ok()?, SessionNumber(schema::number_of(&key))))
    };
    Ok(running.filter_map(named).collect())
}

/// Opens a session's log and reads it whole.
pub async fn journal(
    store: store::Shared,
    meeting: MeetingId,
    session: SessionNumber,
) -> store::Result<(Arc<Journal>, Vec<Entry>, Option<Stored>)> {
    let (mut entries, mut last, mut damaged) = (Vec::new(), None, false);
    let journal = Journal::open(store, meeting, session, |stored| {
        match stored.entry.as_ref().map(Entry::parse) {
            Some(Ok(entry)) => entries.push(entry),
            _ => damaged = true,
        }
        last = Some(stored);
    })
    .await?;
    if damaged {
        return Err(store::Error::Damaged("a log entry".to_owned()));
    }
    Ok((Arc::new(journal), entries, last))
}

/// Writes that a session is as `row` says.
pub fn put_session(batch: Batch, meeting: &MeetingId, session: SessionNumber, row: &SessionRow) -> Batch {
    batch.put(schema::meeting_session(meeting, session), row.encode_to_vec())
}

/// A new session's row.
pub const fn opened(policy_chain: Vec<DeviceSigned>, now: Time) -> SessionRow {
    SessionRow { policy_chain, over: false, opened_ms: now.as_ms() }
}

/// A stored chain of policies.
pub fn chain(record: &Record, statements: &[DeviceSigned]) -> Result<PolicyChain, Error> {
    PolicyChain::verify(record, statements, Trust::Stored, crate::clock::now())
}

/// Writes that a session is over.
pub async fn close(
    store: &dyn store::Store,
    batch: Batch,
    meeting: &MeetingId,
    session: SessionNumber,
) -> store::Result<Batch> {
    let row: Option<SessionRow> = schema::read(store, &schema::meeting_session(meeting, session)).await?;
    Ok(match row {
        Some(row) => put_session(batch, meeting, session, &SessionRow { over: true, ..row }),
        None => batch,
    })
}
