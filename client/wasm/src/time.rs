//! The browser's clock, which the machines are given.

use conclave_core::time::Time;

/// Now.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Milliseconds since 1970 are positive and small.
pub(crate) fn now() -> Time {
    Time::from_ms(js_sys::Date::now() as u64)
}
