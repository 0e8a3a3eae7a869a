//! The clock on the wall.

use std::time::SystemTime;

use mesh_core::text::time::UnixTime;

/// The time on the machine's clock.
#[must_use]
pub fn now() -> UnixTime {
    let secs = match SystemTime::UNIX_EPOCH.elapsed() {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => {
            i64::try_from(before.duration().as_secs()).map_or(i64::MIN, i64::saturating_neg)
        }
    };
    UnixTime::from_secs(secs)
}
