//! Memory of an identity, used again.

use std::rc::Rc;

use super::Identity;

/// The identity of the last request: once nobody else holds it, the next one takes its place, and no memory
/// is taken or freed.
#[derive(Debug, Default)]
pub struct Spare(Option<Rc<Identity>>);

impl Spare {
    /// An identity to be shared.
    #[inline(always)]
    pub(crate) fn share(&mut self, identity: Identity) -> Rc<Identity> {
        if let Some(kept) = &mut self.0
            && let Some(place) = Rc::get_mut(kept)
        {
            *place = identity;
            return Rc::clone(kept);
        }
        let made = Rc::new(identity);
        self.0 = Some(Rc::clone(&made));
        made
    }
}
