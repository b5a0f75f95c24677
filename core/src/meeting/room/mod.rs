//! A session's state, folded from its log; the same code at hub and follower.

mod effect;

pub use self::effect::Effect;
