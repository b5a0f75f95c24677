//! The organisation's own users: accounts with passwords, sessions, devices and their certificates.
//!
//! Knows nothing of gRPC; times and addresses are given. Everything that it answers is on the disk.

pub mod accounts;
pub mod devices;
pub mod guests;
pub mod password;
pub mod sessions;
pub mod throttle;

use std::time::Duration;

use crate::store;

/// Why something was not done. All but the last three are the asker's business.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The user is unknown or disabled, or the password is wrong; which of these, nobody is told.
    #[error("the user or the password is wrong")]
    WrongPassword,
    /// Too many attempts for this user or from this address.
    #[error("too many attempts; try again in {0:?}")]
    Throttled(Duration),
    /// Too many passwords wait to be checked.
    #[error("the server is busy with other sign-ins; try again in a moment")]
    Busy,
    /// The session token is unknown, ended or expired.
    #[error("the session has ended; sign in again")]
    NoSession,
    /// The proof of the device key does not verify.
    #[error("the device does not prove that it has its key")]
    NoPossession,
    /// A name is not of its form.
    #[error("a user name is 1 to 64 of a-z 0-9 . - _")]
    UserName,
    /// A display name is not of its form.
    #[error("a display name must be 1 to 64 visible characters")]
    DisplayName,
    /// A label is not of its form.
    #[error("a device's label must be at most 64 visible characters")]
    Label,
    /// A password is too short or too long.
    #[error("a password must have 8 to 256 characters")]
    Password,
    /// There is one already.
    #[error("there is a user of that name already")]
    UserExists,
    /// There is none.
    #[error("there is no user of that name")]
    NoUser,
    /// There is none, or it is somebody else's.
    #[error("there is no such device")]
    NoDevice,
    /// The user's devices are too many.
    #[error("too many devices are signed in; sign one out first")]
    TooManyDevices,
    /// A sealing key is not of its form, or not signed by that device.
    #[error("the sealing key is not the device's own")]
    SealingKey,
    /// The device CA has expired or cannot issue.
    #[error("the device CA cannot issue: {0}")]
    DeviceCa(conclave_core::identity::certificate::Error),
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A fault of this program.
    #[error("a fault of this program: {0}")]
    Bug(&'static str),
}

/// What this module answers.
pub type Result<T> = std::result::Result<T, Error>;
