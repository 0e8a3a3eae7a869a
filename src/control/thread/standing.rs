//! Whether something is good, and which of its faults were reported already.

use core::time::Duration;

use tokio::time::Instant;

use crate::thread::message::Level;

/// A fault of a document, as it is reported.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    pub(crate) level: Level,
    pub(crate) why: String,
}

/// Decides when a fault is reported: once, and only if it stays.
///
/// A file that is written in place is empty, then half-written, then whole; one that is deleted and
/// made again is gone for a moment. So a fault waits until two looks in a row find the same one. A
/// fault that differs at each look is reported at the tenth. A critical one is reported at once.
#[derive(Clone, Debug, Default)]
pub(crate) struct Standing {
    told: Option<Fault>,
    seen: Option<Fault>,
    looks: u32,
}

impl Standing {
    /// A look found this fault; `true` if it is to be reported.
    pub(crate) fn fault(&mut self, fault: Fault) -> bool {
        self.looks = self.looks.saturating_add(1);
        if self.told.as_ref() == Some(&fault) {
            self.seen = None;
            return false;
        }
        let stays = self.seen.as_ref() == Some(&fault);
        let overdue = self.told.is_none() && self.looks >= MAX_SILENT_LOOKS;
        if stays || overdue || fault.level == Level::Crit {
            self.seen = None;
            self.told = Some(fault);
            return true;
        }
        self.seen = Some(fault);
        false
    }

    /// A look found the document good; `true` if a fault had been reported before.
    pub(crate) fn good(&mut self) -> bool {
        core::mem::take(self).told.is_some()
    }
}

/// The faults of a server that were reported since it was last good: none is reported twice in that time.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Oldest first, at most so many.
    faults: Vec<String>,
    most: usize,
    /// When one was reported last, and how long none is after it.
    at: Option<Instant>,
    quiet: Duration,
}

impl Told {
    /// Remembers each fault that it reported.
    pub(crate) const fn each() -> Self {
        Self { faults: Vec::new(), most: usize::MAX, at: None, quiet: Duration::ZERO }
    }

    /// Remembers the last fault alone, and reports none for some time after it.
    pub(crate) const fn last(quiet: Duration) -> Self {
        Self { faults: Vec::new(), most: 1, at: None, quiet }
    }

    /// The server was found to have this fault; `true` if it is to be reported.
    pub(crate) fn fault(&mut self, fault: &str) -> bool {
        let now = Instant::now();
        let is_recent = self.at.is_some_and(|at| now.duration_since(at) < self.quiet);
        if is_recent || self.faults.iter().any(|told| told == fault) {
            return false;
        }
        if self.faults.len() >= self.most {
            self.faults.remove(0);
        }
        self.faults.push(fault.to_owned());
        self.at = Some(now);
        true
    }

    /// The server was found to be good; `true` if a fault had been reported before.
    pub(crate) fn good(&mut self) -> bool {
        !core::mem::take(&mut self.faults).is_empty()
    }
}

/// Looks in a row that find changing faults before one of them is reported.
const MAX_SILENT_LOOKS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn error(why: &str) -> Fault {
        Fault { level: Level::Error, why: why.into() }
    }

    #[test]
    fn each_fault_of_a_server_is_told_once_until_it_is_good() {
        let mut told = Told::each();
        assert_eq!(["a", "b", "a", "b"].map(|fault| told.fault(fault)), [true, true, false, false]);
        assert_eq!((told.good(), told.good()), (true, false));
        assert!(told.fault("a"));
    }

    #[test]
    fn fault_that_follows_soon_is_not_told() {
        let mut told = Told::last(Duration::from_secs(3600));
        assert_eq!(["a", "a", "b"].map(|fault| told.fault(fault)), [true, false, false]);
        assert!(told.good());
        assert!(!told.fault("a"));

        let mut told = Told::last(Duration::ZERO);
        assert_eq!(["a", "a", "b", "a"].map(|fault| told.fault(fault)), [true, false, true, true]);
    }

    #[test]
    fn passing_fault_is_not_told() {
        let mut standing = Standing::default();
        assert!(!standing.fault(error("empty")));
        assert!(!standing.fault(error("half")));
        assert!(!standing.good());
        assert!(!standing.fault(error("half")));
    }

    #[test]
    fn lasting_fault_is_told_once_until_it_changes_or_ends() {
        let mut standing = Standing::default();
        let told: Vec<_> = ["a", "a", "a", "b", "a", "b", "b", "b", "a", "a"]
            .map(|why| standing.fault(error(why)))
            .into_iter()
            .enumerate()
            .filter_map(|(look, told)| told.then_some(look))
            .collect();
        assert_eq!(told, [1, 6, 9]);
        assert!(standing.good());
        assert!(!standing.good());
        assert!(!standing.fault(error("a")));
        assert!(standing.fault(error("a")));
    }

    #[test]
    fn faults_that_keep_changing_are_told_once() {
        let mut standing = Standing::default();
        let told: Vec<_> = (0..100).filter(|n| standing.fault(error(&n.to_string()))).collect();
        assert_eq!(told, [9]);
    }

    #[test]
    fn critical_fault_is_told_at_once_and_once() {
        let mut standing = Standing::default();
        let panic = Fault { level: Level::Crit, why: "panic".into() };
        assert!(standing.fault(panic.clone()));
        assert!(!standing.fault(panic));
    }
}
