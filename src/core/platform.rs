//! What a request to a platform does: its operation, and the resources that it names.
//!
//! A platform is known by a [`Table`](table::Table): a text that says which request is which operation,
//! and where each of its resources is named. What ships with the product and what a user writes for an
//! API of their own have one format.

mod asked;
mod choice;
pub mod kind;
pub mod name;
pub mod operation;
mod query;
mod route;
mod router;
mod rows;
mod selector;
mod setting;
pub mod shipped;
pub mod table;
mod target;
mod template;

pub use asked::{Asked, Fields};
pub use route::Route;
pub use setting::{Platform, SettingError};

use crate::refusal::Reason;

/// Why a request has no name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refused<'t> {
    /// No row of the table is this request.
    Unknown,
    /// The table refuses it, and says why.
    OnPurpose(&'t str),
    /// Servers may take it in more than one way.
    Ambiguous(&'static str),
    /// It does not follow the rules of a request.
    Malformed(&'static str),
    /// No resource of its kind can have the name that it holds.
    Name,
    /// It does not hold what names its resource.
    Missing,
    /// It names too many resources.
    TooMany,
}

impl<'t> Refused<'t> {
    /// The reason of the refusal.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Unknown => Reason::OperationUnknown,
            Self::OnPurpose(_) => Reason::OperationRefused,
            Self::Ambiguous(_) => Reason::RequestAmbiguous,
            Self::Malformed(_) => Reason::RequestMalformed,
            Self::Name => Reason::NameMalformed,
            Self::Missing => Reason::BodyMemberMissing,
            Self::TooMany => Reason::BodyTooLarge,
        }
    }

    /// Its stable word.
    pub const fn word(self) -> &'static str {
        self.reason().word()
    }

    /// More about it, for people.
    pub const fn detail(self) -> Option<&'t str> {
        match self {
            Self::OnPurpose(detail) | Self::Ambiguous(detail) | Self::Malformed(detail) => {
                Some(detail)
            }
            Self::Unknown | Self::Name | Self::Missing | Self::TooMany => None,
        }
    }
}
