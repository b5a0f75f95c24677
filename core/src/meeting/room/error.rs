//! Why a session's state refuses an entry.

/// The entry does not fit the state; its author is to blame, unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The author is not in the room, or has said that it goes.
    #[error("only a member can do this")]
    NotMember,
    /// The author's role does not allow it.
    #[error("your role in this meeting does not allow this")]
    NotEntitled,
    /// Nobody has founded the session yet.
    #[error("the session does not run yet")]
    NotRunning,
    /// The session takes no more entries.
    #[error("the session is over")]
    Over,
    /// The policy changes by commits while a session runs.
    #[error("while a session runs, the policy changes by a commit in it")]
    Running,
    /// The session was founded by another device.
    #[error("the session has been founded already")]
    AlreadyFounded,
    /// A message for an epoch that is over.
    #[error("the message is for another epoch; catch up and send it again")]
    WrongEpoch,
    /// Too many commits wait to be confirmed.
    #[error("too many commits wait to be confirmed; try again")]
    TooDeep,
    /// No such commit waits, or this device has no say on it.
    #[error("this device has nothing to confirm or reject there")]
    NothingToJudge,
    /// A founding commit is not of its form.
    #[error("the session cannot be founded like this: {0}")]
    Founding(&'static str),
    /// The Welcome is missing, or is not the one that the commit names.
    #[error("the Welcome is not the one that the commit names")]
    Welcome,
    /// Too many entries by one member, or Joins by one domain.
    #[error("too fast; try again in a moment")]
    RateLimited,

    // The hub is to blame.
    /// The header does not say what the content and the state do.
    #[error("the hub's header is wrong about the {0}")]
    Header(&'static str),
    /// A Void that nothing justifies.
    #[error("the hub went back without a reason: {0}")]
    Void(&'static str),
    /// The hub misbehaved before; nothing more is taken from it.
    #[error("the hub broke the rules of this session before")]
    HubMisbehaved,

    // This program is to blame.
    /// What cannot happen did.
    #[error("bug: {0}")]
    Bug(&'static str),
}
