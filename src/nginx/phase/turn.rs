//! The turn of a request in a phase.

use mesh_core::config::Location;
use mesh_core::need::Need;
use mesh_core::refusal::Refusal;
use mesh_core::stage::admit::Admission;

use crate::nginx::ngx::live::Live;
use crate::nginx::phase::context::Context;

/// A request, the settings of the location that it is in, and the memory of it.
#[derive(Clone, Copy)]
pub(super) struct Turn<'r> {
    pub(super) r: Live<'r>,
    pub(super) location: &'r Location,
    pub(super) context: &'r Context,
}

impl<'r> Turn<'r> {
    /// `None` if there is no room for its memory.
    pub(super) fn of(r: Live<'r>, location: &'r Location) -> Option<Self> {
        Some(Self { r, location, context: Context::of(r)? })
    }

    /// As [`Context::evaluate`].
    pub(super) fn evaluate(self) -> Option<Option<Need>> {
        self.context.evaluate(self.r, self.location)
    }

    /// As [`Context::with_outcome`].
    pub(super) fn with_outcome<T>(
        self,
        show: impl FnOnce(&Result<Admission, Refusal>) -> T,
    ) -> Option<T> {
        self.context.with_outcome(self.r, show)
    }
}
