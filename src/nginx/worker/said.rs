//! The background thread's messages about the documents, until the event loop logs them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use mesh_control::{Level, Message};

static SAID: Mutex<VecDeque<Message>> = Mutex::new(VecDeque::new());

/// Says something from any thread.
pub(crate) fn say(level: Level, text: String) {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if said.len() < MOST_SAID {
        said.push_back(Message { level, text });
    }
}

/// Takes the messages; for the thread of Nginx.
pub(crate) fn said() -> impl Iterator<Item = Message> {
    core::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner)).into_iter()
}

/// The event loop takes them twice a second.
const MOST_SAID: usize = 32;
