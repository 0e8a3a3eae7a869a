//! The wishes of a worker: keys that a token named and no worker has.

use mesh_core::text::time::Tick;
use mesh_core::token::Wish;

use crate::nginx::ngx::role::is_worker;
use crate::nginx::state::settings::MainConf;

/// Passes a wish for a key on to the leader, unless this worker did so just now.
pub(crate) fn wish(main: &MainConf, wish: &Wish, now: Tick) {
    if let Some(zone) = &main.shared
        && is_worker()
        && main.wishes.try_borrow_mut().is_ok_and(|mut memo| memo.is_new(wish, now))
        && let Some(documents) = zone.documents()
    {
        documents.wish(wish.issuer, &wish.kid);
    }
}
