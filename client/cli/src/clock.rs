//! This machine's clock, as the machines of `conclave-core` want it.

use std::time::{SystemTime, UNIX_EPOCH};

use conclave_core::time::Time;

/// Now.
pub fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::from_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
