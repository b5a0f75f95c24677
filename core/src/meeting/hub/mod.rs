//! The machine of the server that orders a meeting.

mod io;

pub use self::io::{Ask, Input, Output, Receipt, SessionView, Ticket};
