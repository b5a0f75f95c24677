//! The machine of a server that mirrors another's meeting.

mod io;

pub use self::io::{Input, Output};
