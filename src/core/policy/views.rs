//! The views that a worker keeps: what each identity may do, found again by its token or certificate.

use std::collections::HashMap;
use std::rc::Rc;

use super::edition::Edition;
use super::index::{Shared, View};
use crate::token::{Mark, VerifiedToken};

/// Whose view it is: all that an identity consists of.
#[derive(Clone, Copy, Debug)]
pub struct Whose<'i> {
    /// Its token.
    pub token: Option<&'i VerifiedToken>,
    /// Its certificate: the SHA-256 of it, and the number of the settings that chose its name.
    pub certificate: Option<([u8; 32], usize)>,
}

/// The views that a worker keeps, up to so many bytes.
#[derive(Debug)]
pub struct Views {
    kept: Vec<Kept>,
    /// The places of the views of certificates without a token.
    certificates: HashMap<([u8; 32], usize), Mark>,
    shared: Shared,
    stamps: u64,
    most_bytes: usize,
}

/// A certificate without a token, and where its view is.
type OfCertificate = (([u8; 32], usize), Mark);

#[derive(Debug)]
struct Kept {
    stamp: u64,
    /// Of which version of which policy it is.
    edition: (usize, u64),
    certificate: Option<([u8; 32], usize)>,
    view: Rc<View>,
}

impl Views {
    /// Room for views of so many bytes in all.
    pub fn with_room(most_bytes: usize) -> Self {
        let (kept, certificates, shared) = (Vec::new(), HashMap::new(), Shared::default());
        Self { kept, certificates, shared, stamps: 0, most_bytes }
    }

    /// The view of an identity under a version of a policy, made if it is not kept.
    #[inline(always)]
    pub fn view(
        &mut self,
        whose: Whose<'_>,
        policy: usize,
        edition: &Edition,
        make: impl FnOnce(&mut Shared) -> Rc<View>,
    ) -> Rc<View> {
        let mark = match (whose.token, whose.certificate) {
            (Some(token), _) => token.mark(),
            (None, Some(certificate)) => self.certificates.get(&certificate).copied(),
            (None, None) => None,
        };
        let kept = mark.and_then(|mark| {
            let place = usize::try_from(mark.place).ok()?;
            self.kept.get(place).filter(|kept| kept.stamp == mark.stamp)
        });
        if let Some(kept) = kept
            && kept.edition == (policy, edition.generation())
            && kept.certificate == whose.certificate
        {
            return Rc::clone(&kept.view);
        }
        let view = make(&mut self.shared);
        self.keep(whose, (policy, edition.generation()), view)
    }

    /// Keeps a view. If there is no room, all others go: they are made again when they are asked for.
    #[inline(never)]
    fn keep(&mut self, whose: Whose<'_>, edition: (usize, u64), view: Rc<View>) -> Rc<View> {
        let count = self.kept.len().saturating_add(1);
        let of_certificates = self.certificates.len().saturating_mul(size_of::<OfCertificate>());
        let bytes = count
            .saturating_mul(size_of::<Kept>())
            .saturating_add(of_certificates)
            .saturating_add(self.shared.bytes());
        if bytes > self.most_bytes {
            self.kept.clear();
            self.certificates.clear();
            self.shared.sweep();
        }
        self.stamps = self.stamps.saturating_add(1);
        let stamp = self.stamps;
        let place = u32::try_from(self.kept.len()).unwrap_or(u32::MAX);
        let mark = Mark { place, stamp };
        match (whose.token, whose.certificate) {
            (Some(token), _) => token.set_mark(mark),
            (None, Some(certificate)) => drop(self.certificates.insert(certificate, mark)),
            (None, None) => {}
        }
        let (certificate, kept) = (whose.certificate, Rc::clone(&view));
        self.kept.push(Kept { stamp, edition, certificate, view: kept });
        view
    }

    /// How many it keeps.
    pub const fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether it keeps none.
    pub const fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}

/// Four megabytes.
impl Default for Views {
    fn default() -> Self {
        Self::with_room(4 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::{Requirement, Verdict};
    use crate::policy::subject::Judge;
    use crate::policy::{Policies, Subject};

    #[derive(Debug)]
    struct NoClaims;

    impl Judge for NoClaims {
        fn judge(&self, _: &Requirement) -> Verdict {
            Verdict::Unknown
        }
    }

    #[test]
    fn the_views_that_are_kept_fit_into_their_room() {
        const ROOM: usize = 8192;
        let (edition, _) = Policies::new(Vec::new(), Vec::new()).read(b"version: 1\n").unwrap();
        let subject = Subject {
            issuer: None,
            service: None,
            principal: None,
            spiffe_id: None,
            groups: None,
            claims: &NoClaims,
            address: None,
        };
        let (mut views, mut most) = (Views::with_room(ROOM), 0);
        for settings in 0..500 {
            let whose = Whose { token: None, certificate: Some(([7; 32], settings)) };
            let view =
                views.view(whose, 0, &edition, |shared| shared.view(edition.index(), &subject));
            let again = views.view(whose, 0, &edition, |_| panic!("it is kept"));
            assert!(Rc::ptr_eq(&view, &again));
            let bytes = views.len() * size_of::<Kept>()
                + views.certificates.len() * size_of::<OfCertificate>();
            assert!(bytes <= ROOM, "{bytes}");
            most = most.max(views.len());
        }
        assert!((10..500).contains(&most), "{most}");
    }
}
