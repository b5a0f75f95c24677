//! One stream of one session's log, to a device or to another server, at the reader's own pace.
//!
//! The meeting tells the stream what only the meeting knows, in notes; entries come from the journal. So a slow reader costs no
//! memory and delays nobody (R13).

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use super::journal::{self, Stretch};
use crate::refusal::Refusal;

/// How long a reader may leave its stream unread before it is cut; it comes back by its cursor.
const PATIENCE: Duration = Duration::from_secs(20);
/// Notes that may wait for a reader before it is cut.
pub const NOTES: usize = 64;

/// What the meeting tells a stream. Each note takes effect once the log up to `after` has been handed out.
#[derive(Clone, Debug)]
pub struct Note<T> {
    /// The tip when the note was written; 0: at once.
    pub after: u64,
    /// What it says.
    pub what: What<T>,
}

/// What a note says.
#[derive(Clone, Debug)]
pub enum What<T> {
    /// Hand this out.
    Item(T),
    /// The device is in: hand out the log from here on.
    Enter(u64),
    /// Hand out this, and end the stream; nothing of the log after the note's tip goes out.
    Last(Option<T>),
}

impl<T> What<T> {
    const fn is_last(&self) -> bool {
        matches!(self, Self::Last(_))
    }
}

/// Where a stream's items go.
pub type Outlet<T> = mpsc::Sender<Result<T, Refusal>>;

/// One running stream.
pub struct Watcher<T, F> {
    journal: journal::Shared,
    /// The next sequence wanted; `None` until the device is in.
    cursor: Option<u64>,
    inbox: mpsc::Receiver<Note<T>>,
    due: VecDeque<Note<T>>,
    outlet: Outlet<T>,
    /// Makes an item of a stretch of the log.
    wrap: F,
}

/// The reader is not there any more, or has had its last item.
struct Ended;

impl<T: Send, F: Fn(Stretch) -> T + Send> Watcher<T, F> {
    /// A stream that starts at `cursor`, or with notes alone.
    pub const fn new(
        journal: journal::Shared,
        cursor: Option<u64>,
        inbox: mpsc::Receiver<Note<T>>,
        outlet: Outlet<T>,
        wrap: F,
    ) -> Self {
        Self { journal, cursor, inbox, due: VecDeque::new(), outlet, wrap }
    }

    /// Runs until the reader goes, stops reading, or the meeting says so.
    pub async fn run(mut self) {
        let mut tip = self.journal.tip();
        loop {
            let end = *tip.borrow_and_update();
            // Notes are written before what they are about becomes visible: the last one may end the log for this reader.
            while let Ok(note) = self.inbox.try_recv() {
                self.due.push_back(note);
            }
            match self.step(end).await {
                Err(Ended) => return,
                Ok(true) => continue,
                Ok(false) => {}
            }
            tokio::select! {
                note = self.inbox.recv() => match note {
                    Some(note) => self.due.push_back(note),
                    None => return,
                },
                changed = tip.changed() => if changed.is_err() { return },
                () = self.outlet.closed() => return,
            }
        }
    }

    /// Hands out one thing; says whether there was one.
    async fn step(&mut self, tip: u64) -> Result<bool, Ended> {
        let note_due = self.due.front().is_some_and(|note| self.cursor.is_none_or(|next| next > note.after));
        if note_due && let Some(note) = self.due.pop_front() {
            self.take(note.what).await?;
            return Ok(true);
        }
        match self.cursor {
            Some(next) if next <= tip => {
                if self.hand_out_entries(next).await? {
                    return Ok(true);
                }
                // The log may end for this reader inside a batch: the rest of it stays untold.
                let last = self.due.iter().position(|note| note.after <= tip && note.what.is_last());
                let Some(last) = last.and_then(|last| self.due.remove(last)) else { return Ok(false) };
                self.take(last.what).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn take(&mut self, what: What<T>) -> Result<(), Ended> {
        match what {
            What::Item(item) => self.send(Ok(item)).await,
            What::Enter(sequence) => {
                self.cursor = Some(self.cursor.map_or(sequence, |at| at.max(sequence)));
                Ok(())
            }
            What::Last(item) => {
                if let Some(item) = item {
                    self.send(Ok(item)).await?;
                }
                Err(Ended)
            }
        }
    }

    async fn hand_out_entries(&mut self, next: u64) -> Result<bool, Ended> {
        let limit = self.due.iter().find(|note| note.what.is_last()).map(|note| note.after);
        let stretch = match self.journal.read(next, limit).await {
            Ok(stretch) => stretch,
            Err(error) => {
                tracing::error!(%error, "a session's log cannot be read");
                let _ = self.send(Err(Refusal::UNAVAILABLE)).await;
                return Err(Ended);
            }
        };
        if stretch.entries.is_empty() {
            return Ok(false);
        }
        self.cursor = Some(next + stretch.entries.len() as u64);
        let item = (self.wrap)(stretch);
        self.send(Ok(item)).await?;
        Ok(true)
    }

    async fn send(&self, item: Result<T, Refusal>) -> Result<(), Ended> {
        match timeout(PATIENCE, self.outlet.send(item)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Ended),
        }
    }
}
