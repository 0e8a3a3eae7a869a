//! When an issuer's keys are asked for: decided apart from clocks and sockets.

use core::time::Duration;

use mesh_core::issuer::Remote;

/// The time since some moment that stays the same.
pub(super) type Moment = Duration;

/// When the next fetch begins.
///
/// - Regularly after `refresh`, which the server may bring forward, but to no less than
///   `min_refresh`.
/// - After a failure when `min_refresh` has passed, then twice as long each time, up to `refresh`.
///   An issuer that never had keys begins with one second: it refuses everything until then.
/// - When something wishes for a key, at once, but at least `min_refresh` after the last fetch
///   began.
///
/// Waits are shortened at random, so that hosts do not ask at the same time for ever, and that a key
/// which was published `refresh` before its first use is there in time.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    refresh: Duration,
    min_refresh: Duration,
    /// When the next fetch begins if nothing wishes for one; `None` while it would bring nothing.
    due: Option<Moment>,
    /// When a wish may begin one.
    earliest: Moment,
    is_wanted: bool,
    has_keys: bool,
    /// When the last fetch began.
    began: Moment,
    /// Fetches in a row that failed.
    failures: u32,
}

impl Schedule {
    /// The schedule of an issuer whose keys were confirmed that long ago; `None` means that there are
    /// none. `roll` is any number, by which the wait is spread.
    pub(super) fn new(remote: &Remote, now: Moment, age: Option<Duration>, roll: u64) -> Self {
        let Remote { refresh, min_refresh, .. } = *remote;
        let rest = |wait: Duration| {
            let rest = age.map_or(Duration::ZERO, |age| wait.saturating_sub(age));
            now.saturating_add(rest)
        };
        let is_fresh = age.is_some_and(|age| age < refresh);
        let earliest = rest(min_refresh);
        let due = if is_fresh { rest(spread(refresh, roll)).max(earliest) } else { now };
        Self {
            refresh,
            min_refresh,
            due: Some(due),
            earliest,
            is_wanted: false,
            has_keys: age.is_some(),
            began: now,
            failures: 0,
        }
    }

    /// When the next fetch begins, if nothing happens before; `None` while it would bring nothing.
    pub(super) fn next(&self) -> Option<Moment> {
        match self.due {
            Some(due) if self.is_wanted => Some(due.min(self.earliest)),
            None if self.is_wanted => Some(self.earliest),
            due => due,
        }
    }

    /// Whether a fetch is to begin.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.next().is_some_and(|next| next <= now)
    }

    /// Something needs a key that is not there.
    pub(super) const fn want(&mut self) {
        self.is_wanted = true;
    }

    /// A fetch begins.
    pub(super) fn begin(&mut self, now: Moment) {
        self.is_wanted = false;
        self.began = now;
        self.earliest = self.earliest.max(now.saturating_add(self.min_refresh));
        // Cleared when the fetch ends; the deadline covers a fetch that is never heard of again.
        if self.due.is_some_and(|due| due <= now) {
            self.due = Some(now.saturating_add(self.first_retry()));
        }
    }

    /// A fetch began that long before this schedule was made, and its end was never heard of.
    pub(super) fn began_before(&mut self, since: Duration) {
        let rest = |wait: Duration| self.began.saturating_add(wait.saturating_sub(since));
        let (earliest, due) = (rest(self.min_refresh), rest(self.first_retry()));
        self.earliest = self.earliest.max(earliest);
        self.due = self.due.map(|it| it.max(due));
    }

    /// The fetch brought keys, which the server says to be fresh for that long.
    ///
    /// A freshness of zero is ignored, since servers send it with everything (`no-cache`): the next
    /// fetch comes after `refresh`.
    pub(super) fn succeed(&mut self, now: Moment, fresh: Option<Duration>, roll: u64) {
        self.has_keys = true;
        self.failures = 0;
        let wait = spread(next_fetch(self.refresh, self.min_refresh, fresh), roll);
        self.due = Some(now.saturating_add(wait).max(self.earliest));
    }

    /// The fetch failed.
    pub(super) fn fail(&mut self, now: Moment, roll: u64) {
        let first = self.first_retry();
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        self.failures = self.failures.saturating_add(1).min(31);
        let wait = spread(first.saturating_mul(factor).min(self.refresh), roll);
        self.due = Some(now.saturating_add(wait).max(self.began.saturating_add(first)));
    }

    /// There is nothing to fetch until something wishes for it.
    pub(super) const fn rest(&mut self) {
        self.failures = 0;
        self.due = None;
    }

    fn first_retry(&self) -> Duration {
        if self.has_keys { self.min_refresh } else { self.min_refresh.min(FIRST_RETRY) }
    }
}

/// The most time between a fetch that brought keys and the next one, by the freshness that the
/// server gives.
pub fn next_fetch(refresh: Duration, min_refresh: Duration, fresh: Option<Duration>) -> Duration {
    let fresh = fresh.filter(|fresh| !fresh.is_zero()).unwrap_or(refresh);
    fresh.max(min_refresh).min(refresh)
}

/// A wait that is 5 to 20 % shorter: the rest is for the fetch itself.
fn spread(wait: Duration, roll: u64) -> Duration {
    let thousandths = u32::try_from(roll % 151).unwrap_or(0).saturating_add(800);
    wait.saturating_mul(thousandths).checked_div(1000).unwrap_or(wait)
}

/// The first wait for keys that were never there.
const FIRST_RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
pub(super) mod tests;
