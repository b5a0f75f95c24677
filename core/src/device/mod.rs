//! One signed-in device, driving all the rest: account, invitations, and the sessions it is in.
//!
//! A machine (see [`crate::machine`]): a driver feeds it commands, answers and stream items, and carries out what it polls.
//! It never sees a socket: a call is a gRPC path with the encoded request, so a browser driver needs no protobuf.
//!
//! ```text
//!   person ── Command ──▶ Device ── Call, Open ──▶ driver ──▶ home server
//!   person ◀── Event ──── Device ◀── Answer, Item ─ driver ◀── home server
//!                           └── Persist ──▶ the profile
//! ```

mod account;
mod call;
pub mod command;
mod error;
pub mod event;
mod invitation;
pub mod io;
mod look;
mod lookup;
mod machine;
mod media_keys;
mod meeting;
mod outbox;
mod path;
pub mod problem;
mod receive;
mod sealing_keys;
mod session;
mod stored;

pub use self::{error::Error, machine::Device};
