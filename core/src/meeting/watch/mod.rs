//! What a home server tells its own devices of one session: which entries, how their Joins stand, what is asked of them.
//!
//! The same at hub and follower. It reads the room and decides nothing; whoever drives it fetches entries and carries messages.

mod absence;
mod house;
mod item;
mod reader;

pub use self::{
    absence::{ABSENCE, Missing, Presence},
    house::{House, NotHere, Opened, Order, Told, UNSEEN},
    item::{Logged, Tidings, batch},
    reader::{Note, Reader, Step, What},
};
