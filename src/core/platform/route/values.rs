//! What a request holds in the places where a table looks for names.

use std::borrow::Cow;

use crate::body::Extract;
use crate::platform::query::Query;
use crate::platform::router::Found;
use crate::platform::selector::Source;
use crate::platform::table::Row;
use crate::platform::{Fields, Refused};
use crate::request::Field;

/// The places of a request of a row.
#[derive(Clone, Copy)]
pub(super) struct Values<'v> {
    pub(super) row: &'v Row,
    pub(super) fields: &'v dyn Fields,
    /// The path, decoded.
    pub(super) path: &'v [u8],
    pub(super) query: Query<'v>,
    /// Where the parameters stand in the path.
    pub(super) found: &'v Found,
    /// What was found in the body; `None` if there is none.
    pub(super) body: Option<&'v Extract>,
}

impl<'v> Values<'v> {
    /// Whether a hyphen stands for all there.
    pub(super) const fn is_dash(&self, source: &Source) -> bool {
        self.row.flags.has_dash && matches!(source, Source::Path(_))
    }

    /// Whether a place is a parameter that spans segments.
    pub(super) const fn spans(&self, source: &Source) -> bool {
        match source {
            Source::Path(place) => self.found.is_rest(*place),
            _ => false,
        }
    }

    /// The value of a parameter.
    pub(super) fn parameter(&self, place: u8) -> Result<Cow<'v, str>, Refused<'static>> {
        let text = self.found.span(place).map_or(&[][..], |span| span.of(self.path));
        core::str::from_utf8(text).map(Cow::Borrowed).map_err(|_| Refused::Name)
    }

    /// Whether a place is there.
    pub(super) fn is_there(&self, source: &'v Source) -> Result<bool, Refused<'static>> {
        match source {
            Source::Body(place) => Ok(self.body.is_some_and(|body| body.is_there(*place))),
            source => Ok(self.only(source)?.is_some()),
        }
    }

    /// The value of a place that is there at most once.
    pub(super) fn only(
        &self,
        source: &'v Source,
    ) -> Result<Option<Cow<'v, str>>, Refused<'static>> {
        let mut only = None;
        self.each(source, |value| {
            if only.replace(value).is_some() {
                return Err(Refused::Ambiguous("what names a resource is there twice"));
            }
            Ok(())
        })?;
        Ok(only)
    }

    /// Each value of a place.
    #[inline]
    pub(super) fn each(
        &self,
        source: &'v Source,
        mut take: impl FnMut(Cow<'v, str>) -> Result<(), Refused<'static>>,
    ) -> Result<(), Refused<'static>> {
        match source {
            Source::Path(place) => take(self.parameter(*place)?),
            Source::Constant(text) => take(Cow::Borrowed(text)),
            Source::Header(name) => match self.fields.field(name) {
                Field::Absent => Ok(()),
                Field::Several => {
                    Err(Refused::Ambiguous("a field that names a resource is there twice"))
                }
                Field::One(value) => {
                    let value = core::str::from_utf8(value).map_err(|_| Refused::Name)?;
                    take(Cow::Borrowed(value))
                }
            },
            Source::Query { member, repeats } => self.query.values(member, *repeats, take),
            Source::Body(place) => {
                let values =
                    (0..).map_while(|at| self.body.and_then(|body| body.value(*place, at)));
                values.map(Cow::Borrowed).try_for_each(take)
            }
        }
    }
}
