//! What is asked of a platform, as the shell shows it.

use crate::request::Field;

/// What a request says of itself; nothing here waits for a body.
#[derive(Clone, Copy)]
pub struct Asked<'r> {
    /// As it goes upstream.
    pub method: &'r str,
    /// The path as it goes upstream.
    pub path: &'r [u8],
    /// What follows the question mark.
    pub query: Option<&'r [u8]>,
    /// Whether Nginx sends the path decoded.
    pub is_decoded: bool,
    /// Its fields.
    pub fields: &'r dyn Fields,
}

/// The fields of a request.
pub trait Fields {
    /// The value of the only field of a name, which is in lower case.
    fn field(&self, name: &str) -> Field<'_>;
}

impl core::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Asked").field("method", &self.method).finish_non_exhaustive()
    }
}
