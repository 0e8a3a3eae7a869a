//! How keys that one worker has reach all of them, and the next start.
//!
//! | file | question it answers |
//! | --- | --- |
//! | `zone.rs` | where the documents live, and what they begin with |
//! | `link.rs` | what the background thread of a worker does with them |
//! | `writer.rs` | who may write to them |
//! | `state.rs` | how they are kept on disk |

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use mesh_control::{Level, Message};
use mesh_core::text::time::Tick;
use mesh_core::token::Wish;

use super::process;
use super::settings::MainConf;

mod link;
mod state;
mod writer;
mod zone;

pub(crate) use link::Link;
pub(crate) use zone::DocumentsZone;

/// Passes a wish for a key on to the leader, unless this worker did so just now.
pub(crate) fn wish(main: &MainConf, wish: &Wish, now: Tick) {
    if let Some(zone) = &main.shared
        && process::is_worker()
        && main.wishes.try_borrow_mut().is_ok_and(|mut memo| memo.is_new(wish, now))
        && let Some(documents) = zone.documents()
    {
        documents.wish(wish.issuer, &wish.kid);
    }
}

/// What the background thread has to say of the documents, until the event loop logs it.
static SAID: Mutex<VecDeque<Message>> = Mutex::new(VecDeque::new());

/// Says something from any thread.
fn say(level: Level, text: String) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() < MOST_SAID {
        said.push_back(Message { level, text });
    }
}

/// Takes what was said; for the thread of Nginx.
pub(crate) fn said() -> impl Iterator<Item = Message> {
    core::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner)).into_iter()
}

/// The event loop takes them twice a second.
const MOST_SAID: usize = 32;
