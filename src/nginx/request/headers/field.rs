//! A field without a typed slot, from which a part may be removed while the rest stays.

use mesh_core::text::reserved::folds_to;

use super::{Header, HeaderError, push_element, strip};
use crate::nginx::ngx::live::Live;

/// The field of the protocols of a WebSocket handshake, as Nginx would write it.
pub(crate) const WEBSOCKET_PROTOCOL: &[u8] = b"Sec-WebSocket-Protocol";

/// Gives the field whose name folds to that one another value, takes it away, or puts it back.
///
/// A new element takes the place of the old one, which another request may hold as well.
pub(crate) fn set_field(r: Live<'_>, name: &[u8], value: Option<&[u8]>) -> Result<(), HeaderError> {
    let header = value.map(|value| Header::copied(r, name, value)).transpose()?;
    strip(r, |it| folds_to(it, name))?;
    match header {
        Some(header) => push_element(r, header).map(drop),
        None => Ok(()),
    }
}
