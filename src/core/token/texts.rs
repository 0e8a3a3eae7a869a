//! The names that a token gives, in one block of memory.

use core::num::NonZeroU32;

/// `sub`, the service and the groups of a token, in one block: each that is kept by itself takes
/// twice its length.
#[derive(Debug)]
pub(super) struct Texts {
    all: Box<str>,
    /// Where each ends; `None` if it is not there. A service that ends where `sub` does is the same
    /// text.
    ends: [Option<NonZeroU32>; 3],
}

impl Texts {
    /// Keeps what is there of them; none is longer than a token, and the first two are not empty.
    pub(super) fn of(subject: Option<&str>, service: Option<&str>, groups: Option<&str>) -> Self {
        let is_same = subject == service;
        let texts = [subject, if is_same { service.map(|_| "") } else { service }, groups];
        let mut all = String::with_capacity(texts.iter().flatten().map(|text| text.len()).sum());
        let ends = texts.map(|text| {
            all.push_str(text?);
            // One more than that, so that it is never 0.
            u32::try_from(all.len().saturating_add(1)).ok().and_then(NonZeroU32::new)
        });
        Self { all: all.into(), ends }
    }

    /// `sub`
    pub(super) fn subject(&self) -> Option<&str> {
        let [subject, ..] = &self.ends;
        self.all.get(..end(subject)?)
    }

    /// The service.
    pub(super) fn service(&self) -> Option<&str> {
        let [subject, service, _] = &self.ends;
        let (before, end) = (end(subject).unwrap_or(0), end(service)?);
        if before == end { self.subject() } else { self.all.get(before..end) }
    }

    /// The groups.
    pub(super) fn groups(&self) -> Option<&str> {
        let [subject, service, groups] = &self.ends;
        let before = end(service).or_else(|| end(subject)).unwrap_or(0);
        self.all.get(before..end(groups)?)
    }

    pub(super) fn weight(&self) -> usize {
        self.all.len()
    }
}

fn end(end: &Option<NonZeroU32>) -> Option<usize> {
    end.map(|end| (end.get() as usize).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_kept_apart_and_the_same_one_once() {
        for subject in [None, Some("s"), Some("orders")] {
            for service in [None, Some("s"), Some("orders-api")] {
                for groups in [None, Some("[]"), Some("[\"a\"]")] {
                    let texts = Texts::of(subject, service, groups);
                    let read = (texts.subject(), texts.service(), texts.groups());
                    assert_eq!(read, (subject, service, groups));
                }
            }
        }
        assert_eq!(Texts::of(Some("orders"), Some("orders"), None).weight(), 6);
    }
}
