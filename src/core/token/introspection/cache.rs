//! What a worker knows of the tokens that it has asked about.

use core::borrow::Borrow;
use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::collections::HashMap;
use std::hash::RandomState;
use std::rc::Rc;

use lru::LruCache;

use super::Answer;
use crate::issuer::Question;
use crate::refusal::Reason;
use crate::text::time::Tick;
use crate::token::VerifiedToken;

/// What a worker knows of the tokens that it has asked about, and which it waits for.
///
/// The key is the whole token, with its issuer: clients write both into it, so it is hashed by
/// SipHash. Refused tokens have a place of their own, so that guesses push out no good token.
#[derive(Debug)]
pub struct Introspections {
    active: Shelf<Active>,
    refused: Shelf<(Reason, Tick)>,
    /// The tokens that the issuer is being asked about, and when the question is given up.
    pending: HashMap<Question, Tick>,
    /// The most of them for one issuer.
    share: usize,
    /// The last request's answer, if it will end soon.
    renewal: Option<Question>,
}

/// A token that is active, as its issuer said.
#[derive(Debug)]
struct Active {
    token: Rc<VerifiedToken>,
    /// From when on its issuer is asked again, ahead of the end.
    renew: Tick,
    until: Tick,
}

/// What is known of a token.
#[derive(Clone, Debug)]
pub enum Known {
    /// Its issuer said that it is active.
    Active(Rc<VerifiedToken>),
    /// Nothing: its issuer is to be asked, or is being asked.
    Nothing,
    /// It is refused.
    Refused(Reason),
}

/// Whether a question is on its way.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked {
    /// It is: all requests that wait for it get the answer.
    Already,
    /// It is new, and noted: the caller has to ask it.
    Now,
    /// Its issuer has too many.
    TooMany,
}

impl Introspections {
    /// Room for that many tokens that are active, and a quarter as many that are not.
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            active: Shelf::with_capacity(capacity),
            refused: Shelf::with_capacity(capacity.div_ceil(4)),
            pending: HashMap::new(),
            share: MAX_PENDING,
            renewal: None,
        }
    }

    /// Gives each of so many issuers that are asked its share of what may be on its way: one that
    /// does not answer takes nothing from the others.
    pub fn share_among(&mut self, issuers: usize) {
        self.share = MAX_PENDING.checked_div(issuers).unwrap_or(MAX_PENDING).max(1);
    }

    /// How many questions, and requests that wait for them, one issuer may have.
    pub const fn share(&self) -> usize {
        self.share
    }

    /// Whether an issuer has so many questions on their way.
    fn has_pending(&self, issuer: usize, many: usize) -> bool {
        let theirs = || self.pending.keys().filter(|question| question.issuer == issuer).count();
        self.pending.len() >= many && theirs() >= many
    }

    /// What is known at `now` of an issuer's token.
    pub fn find(&mut self, issuer: usize, token: &[u8], now: Tick) -> Known {
        let question: &dyn Key = &(issuer, token);
        match self.active.get(question) {
            Some(active) if now < active.until => {
                let (token, is_due) = (Rc::clone(&active.token), now >= active.renew);
                if is_due && self.may_renew(question, now) {
                    self.renewal = Some(Question { issuer, token: question.parts().1.into() });
                }
                return Known::Active(token);
            }
            Some(_) => self.active.remove(question),
            None => {}
        }
        match self.refused.get(question) {
            Some((reason, until)) if now < *until => return Known::Refused(*reason),
            Some(_) => self.refused.remove(question),
            None => {}
        }
        Known::Nothing
    }

    /// Whether its issuer can be asked ahead of time: it is not being asked now, it did not fail to
    /// answer a moment ago, and there is room beside the requests that wait.
    fn may_renew(&mut self, question: &dyn Key, now: Tick) -> bool {
        let most = self.share.div_ceil(RENEWALS_PART);
        !self.has_pending(question.parts().0, most)
            && self.pending.get(question).is_none_or(|until| now >= *until)
            && self.refused.get(question).is_none_or(|(_, until)| now >= *until)
    }

    /// The token of the last request, if it is active and its issuer should be asked about it
    /// again: no request waits for that.
    pub fn take_renewal(&mut self) -> Option<Question> {
        self.renewal.take()
    }

    /// Notes that a question is asked, unless it is on its way; it is forgotten after `patience`.
    pub fn ask(&mut self, question: &Question, patience: Duration, now: Tick) -> Asked {
        if self.pending.get(question).is_some_and(|until| now < *until) {
            return Asked::Already;
        }
        if self.has_pending(question.issuer, self.share) {
            self.pending.retain(|_, until| now < *until);
        }
        if self.has_pending(question.issuer, self.share) {
            return Asked::TooMany;
        }
        self.pending.insert(question.clone(), now.saturating_add(patience));
        Asked::Now
    }

    /// Takes an answer, which is cached for `cache` or `negative`.
    pub fn answer(
        &mut self,
        question: &Question,
        answer: Answer,
        (cache, negative): (Duration, Duration),
        now: Tick,
    ) {
        self.pending.remove(question);
        match answer {
            Answer::Active(token) => {
                let weight = token.weight();
                let early =
                    cache.saturating_sub(cache.checked_div(RENEWED_PART).unwrap_or_default());
                let (renew, until) = (now.saturating_add(early), now.saturating_add(cache));
                self.refused.remove(question);
                let active = Active { token: token.into(), renew, until };
                self.active.put(question.clone(), active, weight);
            }
            Answer::Refused(reason) => {
                self.active.remove(question);
                self.refused.put(question.clone(), (reason, now.saturating_add(negative)), 0);
            }
        }
    }

    /// Notes that there is no answer: waiting requests are refused, and so for a moment are new
    /// ones.
    pub fn give_up(&mut self, question: &Question, now: Tick) {
        self.pending.remove(question);
        self.put_off(question, now);
    }

    /// As [`Self::give_up`], for a request that cannot wait where others do.
    pub fn put_off(&mut self, question: &Question, now: Tick) {
        let refusal = (Reason::IntrospectionUnavailable, now.saturating_add(MOMENT));
        self.refused.put(question.clone(), refusal, 0);
    }

    /// Gives up all that is on its way: there will be no answer.
    pub fn give_up_all(&mut self, now: Tick) {
        let pending: Vec<_> = self.pending.drain().map(|(question, _)| question).collect();
        for question in &pending {
            self.give_up(question, now);
        }
    }

    /// How many tokens are active, refused and waited for.
    pub fn counts(&self) -> [usize; 3] {
        [self.active.entries.len(), self.refused.entries.len(), self.pending.len()]
    }
}

impl Default for Introspections {
    /// For tools and tests.
    fn default() -> Self {
        Self::with_capacity(64)
    }
}

/// The most questions that are on their way in one worker.
const MAX_PENDING: usize = 1024;

/// The part of an issuer's questions up to which tokens are asked about ahead of time.
const RENEWALS_PART: usize = 4;

/// A token in use is asked about again in the last quarter of its time.
const RENEWED_PART: u32 = 4;

/// For how long an issuer that did not answer is not asked about the same token again.
const MOMENT: Duration = Duration::from_secs(1);

/// A cache that is bounded by its entries and by their bytes.
#[derive(Debug)]
struct Shelf<V> {
    entries: LruCache<Question, (V, usize), RandomState>,
    capacity: usize,
    bytes: usize,
}

impl<V> Shelf<V> {
    fn with_capacity(capacity: usize) -> Self {
        let entries = LruCache::unbounded_with_hasher(RandomState::new());
        Self { entries, capacity, bytes: 0 }
    }

    fn get(&mut self, question: &dyn Key) -> Option<&V> {
        self.entries.get(question).map(|(value, _)| value)
    }

    /// Puts a value that takes about `weight` bytes; those that were used longest ago go.
    fn put(&mut self, question: Question, value: V, weight: usize) {
        let weight = weight.saturating_add(question.token.len()).saturating_add(512);
        self.bytes = self.bytes.saturating_add(weight);
        if let Some((_, (_, before))) = self.entries.push(question, (value, weight)) {
            self.bytes = self.bytes.saturating_sub(before);
        }
        let most_bytes = self.capacity.saturating_mul(BYTES_EACH);
        while self.entries.len() > self.capacity || self.bytes > most_bytes {
            let Some((_, (_, oldest))) = self.entries.pop_lru() else { break };
            self.bytes = self.bytes.saturating_sub(oldest);
        }
    }

    fn remove(&mut self, question: &dyn Key) {
        if let Some((_, weight)) = self.entries.pop(question) {
            self.bytes = self.bytes.saturating_sub(weight);
        }
    }
}

/// Bytes that an entry takes on average.
const BYTES_EACH: usize = 1536;

/// A question by reference: a lookup copies no token.
trait Key {
    fn parts(&self) -> (usize, &[u8]);
}

impl Key for Question {
    fn parts(&self) -> (usize, &[u8]) {
        (self.issuer, &self.token)
    }
}

impl Key for (usize, &[u8]) {
    fn parts(&self) -> (usize, &[u8]) {
        *self
    }
}

impl Hash for dyn Key + '_ {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialEq for dyn Key + '_ {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for dyn Key + '_ {}

impl<'k> Borrow<dyn Key + 'k> for Question {
    fn borrow(&self) -> &(dyn Key + 'k) {
        self
    }
}

/// As its borrowed form, which a map needs.
impl Hash for Question {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

#[cfg(test)]
mod tests;
