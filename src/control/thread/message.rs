//! The messages of the background thread, kept until the event loop logs them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How grave a message is, in Nginx's words.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// Something went as it should.
    Notice,
    /// Something should be looked at.
    Warn,
    /// A document is bad, or cannot be read.
    Error,
    /// The module is at fault: a panic, or the end of the thread.
    Crit,
}

/// One line for the error log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Message {
    /// The level to log it at.
    pub level: Level,
    /// One line of at most 1 KiB, without control characters and without contents of a document.
    pub text: String,
}

impl Message {
    fn new(level: Level, text: &str) -> Self {
        let mut line = String::with_capacity(text.len().min(MAX_TEXT));
        for character in text.chars() {
            let character = if character.is_control() { ' ' } else { character };
            if line.len().saturating_add(character.len_utf8()) > MAX_TEXT {
                break;
            }
            line.push(character);
        }
        Self { level, text: line }
    }
}

/// The bounded queue of a worker's messages: whatever knows something puts it in, on any thread, and
/// the event loop logs it.
///
/// Its lock is held for one push or one swap only, so neither side ever waits for the other's work.
#[derive(Debug)]
pub struct Outbox {
    report: bool,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<Message>,
    dropped: u64,
}

impl Outbox {
    /// An empty queue; without `report` another worker reports for all, and this one's takes
    /// critical messages and [announcements](Self::announce) alone.
    #[must_use]
    pub fn new(report: bool) -> Arc<Self> {
        Arc::new(Self { report, queue: Mutex::default() })
    }

    /// Queues a message. If the queue is full, the message is only counted, unless it is critical: then
    /// the oldest lesser one gives way.
    pub(crate) fn push(&self, level: Level, text: &str) {
        if self.report || level >= Level::Crit {
            self.announce(level, text);
        }
    }

    /// Queues a message about something that only this worker knows, whichever worker reports for all.
    pub fn announce(&self, level: Level, text: &str) {
        let message = Message::new(level, text);
        let mut queue = self.lock();
        if queue.messages.len() >= MAX_MESSAGES {
            queue.dropped = queue.dropped.saturating_add(1);
            if level < Level::Crit {
                return;
            }
            let lesser = queue.messages.iter().position(|waiting| waiting.level < Level::Crit);
            let Some(lesser) = lesser else { return };
            queue.messages.remove(lesser);
        }
        queue.messages.push_back(message);
    }

    /// Takes all messages, oldest first, then a warning if some had to be dropped.
    pub fn drain(&self) -> impl Iterator<Item = Message> + use<> {
        let Queue { messages, dropped } = core::mem::take(&mut *self.lock());
        let warning = (dropped > 0).then(|| {
            let text = format!("{dropped} messages of the background thread were dropped");
            Message::new(Level::Warn, &text)
        });
        messages.into_iter().chain(warning)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // Nothing under the lock leaves the queue half changed.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Messages that wait at most; at one drain per second and one line per event this is plenty.
const MAX_MESSAGES: usize = 64;
/// Bytes of a text, so that the line with Nginx's own prefix fits its 2 KiB.
const MAX_TEXT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(outbox: &Outbox) -> Vec<String> {
        outbox.drain().map(|message| message.text).collect()
    }

    #[test]
    fn full_queue_counts_what_it_drops_and_says_so_once() {
        let outbox = Outbox::new(true);
        for number in 0..100 {
            outbox.push(Level::Error, &format!("line {number}"));
        }
        let drained: Vec<_> = outbox.drain().collect();
        assert_eq!(drained.len(), MAX_MESSAGES + 1);
        assert_eq!(drained[0].text, "line 0");
        assert_eq!(drained[MAX_MESSAGES].level, Level::Warn);
        assert_eq!(drained[MAX_MESSAGES].text, "36 messages of the background thread were dropped");
        assert_eq!(texts(&outbox), Vec::<String>::new());

        outbox.push(Level::Notice, "after");
        assert_eq!(texts(&outbox), ["after"]);
    }

    #[test]
    fn critical_message_enters_a_full_queue() {
        let outbox = Outbox::new(true);
        for number in 0..MAX_MESSAGES {
            outbox.push(Level::Notice, &format!("line {number}"));
        }
        outbox.push(Level::Crit, "dead");
        let drained = texts(&outbox);
        assert_eq!(drained[0], "line 1");
        assert_eq!(drained[MAX_MESSAGES - 1], "dead");
        assert_eq!(drained[MAX_MESSAGES], "1 messages of the background thread were dropped");
    }

    #[test]
    fn queue_stays_bounded_when_all_is_critical() {
        let outbox = Outbox::new(true);
        for _ in 0..200 {
            outbox.push(Level::Crit, "panic");
        }
        assert_eq!(outbox.drain().count(), MAX_MESSAGES + 1);
    }

    #[test]
    fn silent_worker_speaks_of_critical_things_only() {
        let outbox = Outbox::new(false);
        for level in [Level::Notice, Level::Warn, Level::Error, Level::Crit] {
            outbox.push(level, &format!("{level:?}"));
        }
        assert_eq!(texts(&outbox), ["Crit"]);
    }

    #[test]
    fn text_is_one_short_line_of_whole_characters() {
        let outbox = Outbox::new(true);
        outbox.push(Level::Error, &format!("a\nb\r\u{1b}[2Jc{}", "é".repeat(2000)));
        let text = texts(&outbox).remove(0);
        assert!(text.starts_with("a b  [2Jcéé"), "{text}");
        assert!(text.len() <= MAX_TEXT && text.len() > MAX_TEXT - 2);
    }
}
