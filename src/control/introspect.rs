//! Asking issuers about opaque tokens (RFC 7662): a task for each question, and an answer for each.

use core::cell::RefCell;
use core::convert::Infallible;
use core::fmt;
use core::future::pending;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use mesh_core::issuer::trust::Trust;
use mesh_core::issuer::{Introspection, Question};
use mesh_core::token::Wish;
use mesh_core::token::introspection::{Answer, MAX_ANSWER, MEDIA_TYPE, SIGNED_MEDIA_TYPE, read};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, percent_encode};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::http::{Client, Network, Request};
use crate::thread::clock;
use crate::thread::job::Job;
use crate::thread::message::{Level, Outbox};
use crate::thread::standing::Told;
use crate::thread::supervise::Supervisor;

mod credential;

pub use credential::{Credential, CredentialError, MOST_CREDENTIAL};

use credential::CredentialFile;

/// The issuers to ask about opaque tokens, and how to say that there is an answer.
#[derive(Clone)]
pub struct Introspector {
    /// The issuers; those to ask have an `introspection`.
    pub trust: Arc<Trust>,
    /// The credentials that were read with the configuration, by the issuer's index.
    pub credentials: Vec<(usize, Arc<Credential>)>,
    /// Called on the background thread whenever [`Desk::answers`] has something new: it returns at
    /// once, and wakes the event loop.
    pub wake: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Introspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspector")
            .field("credentials", &self.credentials)
            .finish_non_exhaustive()
    }
}

/// The end of a question.
#[derive(Debug)]
pub struct Answered {
    /// The question.
    pub question: Question,
    /// The issuer's answer; `None` if it gave no usable one.
    pub answer: Option<Answer>,
    /// The unknown key that a signed answer names.
    pub wish: Option<Wish>,
}

/// The event loop's end of the two queues.
#[derive(Debug)]
pub struct Desk {
    questions: mpsc::Sender<Question>,
    answers: Arc<Answers>,
}

impl Introspector {
    /// The event loop's end, and the job that answers its questions.
    #[must_use]
    pub fn open(self) -> (Desk, Counter) {
        let (questions, receiver) = mpsc::channel(MAX_OPEN);
        let answers = Arc::new(Answers {
            ready: Mutex::default(),
            open: AtomicUsize::new(0),
            wake: Arc::clone(&self.wake),
        });
        let counter = Counter { receiver, answers: Arc::clone(&answers), introspector: self };
        (Desk { questions, answers }, counter)
    }
}

impl Desk {
    /// Asks the question's issuer, whose answer [`Self::answers`] gives: there is one for each
    /// question, within the issuer's time. `false` if it cannot be asked: too many are open already, or
    /// the thread is gone.
    #[must_use]
    pub fn ask(&self, question: Question) -> bool {
        // Only the event loop opens and closes: nothing comes between the two lines.
        if self.answers.open.load(Ordering::Acquire) >= MAX_OPEN {
            return false;
        }
        let is_sent = self.questions.try_send(question).is_ok();
        if is_sent {
            self.answers.open.fetch_add(1, Ordering::AcqRel);
        }
        is_sent
    }

    /// Takes the answers that have arrived.
    #[must_use]
    pub fn answers(&self) -> Vec<Answered> {
        let ready = core::mem::take(&mut *self.answers.lock());
        self.answers.open.fetch_sub(ready.len(), Ordering::AcqRel);
        ready
    }
}

/// The answers that wait for the event loop: as many as there are questions, which are bounded.
struct Answers {
    ready: Mutex<Vec<Answered>>,
    /// Questions whose answer was not taken yet.
    open: AtomicUsize,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Answers {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Answered>> {
        // Nothing under the lock leaves the list half changed.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, answered: Answered) {
        self.lock().push(answered);
        (self.wake)();
    }
}

/// A question that is owed an answer: it gets one even if its task panics or is dropped.
struct Owed<'a> {
    question: Option<Question>,
    answers: &'a Answers,
}

impl Owed<'_> {
    fn pay(mut self, answer: Option<Answer>, wish: Option<Wish>) {
        if let Some(question) = self.question.take() {
            self.answers.push(Answered { question, answer, wish });
        }
    }
}

impl Drop for Owed<'_> {
    fn drop(&mut self) {
        if let Some(question) = self.question.take() {
            self.answers.push(Answered { question, answer: None, wish: None });
        }
    }
}

/// The thread's end of the two queues: the job of asking issuers.
#[derive(Debug)]
pub struct Counter {
    receiver: mpsc::Receiver<Question>,
    answers: Arc<Answers>,
    introspector: Introspector,
}

impl Job for Counter {
    fn begin(self: Box<Self>, supervisor: &Supervisor) {
        let service = self.serve(supervisor.network(), &supervisor.outbox());
        let name = "that asks about tokens".to_owned();
        supervisor.supervise(name, move || serve(service.clone()));
    }
}

impl Counter {
    /// The parts that [`serve`] needs, once the thread is there.
    fn serve(self, network: &Network, outbox: &Arc<Outbox>) -> Service {
        let Self { receiver, answers, introspector } = self;
        let Introspector { trust, credentials, .. } = introspector;
        let asker = |index: usize, introspection: &Introspection| {
            let primed = credentials.iter().find(|(issuer, _)| *issuer == index);
            let primed = primed.map(|(_, credential)| Arc::clone(credential));
            Rc::new(Asker {
                issuer: index,
                client: network.client(introspection.trusted_certificate.clone()),
                credential: RefCell::new(CredentialFile::new(&introspection.client, primed)),
                room: Semaphore::new(MAX_AT_ONCE),
                told: RefCell::new(Told::last(QUIET)),
                trust: Arc::clone(&trust),
                outbox: Arc::clone(outbox),
            })
        };
        let issuers = trust.issuers().iter().enumerate();
        let askers = issuers
            .map(|(index, issuer)| issuer.introspection.as_ref().map(|it| asker(index, it)))
            .collect();
        let receiver = Rc::new(tokio::sync::Mutex::new(receiver));
        Service { receiver, answers, askers }
    }
}

/// Everything that the task which takes the questions needs; it can be started anew with it.
#[derive(Clone)]
struct Service {
    receiver: Rc<tokio::sync::Mutex<mpsc::Receiver<Question>>>,
    answers: Arc<Answers>,
    askers: Rc<[Option<Rc<Asker>>]>,
}

/// Takes questions for ever, and gives each a task of its own.
async fn serve(service: Service) -> Infallible {
    let mut questions = service.receiver.lock().await;
    while let Some(question) = questions.recv().await {
        let asker = service.askers.get(question.issuer).cloned().flatten();
        let answers = Arc::clone(&service.answers);
        // It is bounded by the questions that are open, and ends by its deadline.
        spawn_local(async move {
            let owed = Owed { question: Some(question), answers: &answers };
            let mut wish = None;
            let answer = match (&asker, &owed.question) {
                (Some(asker), Some(question)) => asker.ask(&question.token, &mut wish).await,
                _ => None,
            };
            owed.pay(answer, wish);
        });
    }
    // The other end is gone: this one will go soon.
    pending().await
}

/// One issuer that can be asked.
struct Asker {
    issuer: usize,
    client: Client,
    credential: RefCell<CredentialFile>,
    room: Semaphore,
    told: RefCell<Told>,
    trust: Arc<Trust>,
    outbox: Arc<Outbox>,
}

impl Asker {
    /// Asks the issuer about a token, within its time, which includes the time in the queue.
    async fn ask(&self, token: &[u8], wish: &mut Option<Wish>) -> Option<Answer> {
        let issuer = self.trust.issuers().get(self.issuer)?;
        let introspection = issuer.introspection.as_ref()?;
        let fault =
            match timeout(introspection.timeout, self.exchange(introspection, token, wish)).await {
                Ok(Ok(answer)) => {
                    self.tell_good(&issuer.name);
                    return Some(answer);
                }
                Ok(Err(fault)) => fault,
                Err(_) => "timed out".to_owned(),
            };
        self.tell_fault(&issuer.name, &fault);
        None
    }

    async fn exchange(
        &self,
        introspection: &Introspection,
        token: &[u8],
        wish: &mut Option<Wish>,
    ) -> Result<Answer, String> {
        let _room = self.room.acquire().await.map_err(|_| "is being stopped".to_owned())?;
        let issuer = self.trust.issuers().get(self.issuer).map_or("", |issuer| &issuer.url);
        let mut body = form([("token", token), ("token_type_hint", b"access_token")]);
        let credential = self.credential.borrow_mut().current()?;
        let authorization = credential.prove(&mut body, issuer, clock::now())?;
        let accept = if introspection.signed { SIGNED_MEDIA_TYPE } else { MEDIA_TYPE };
        let request = Request {
            accept,
            authorization: authorization.as_deref(),
            max_bytes: MAX_ANSWER,
            connect: introspection.timeout,
            deadline: introspection.timeout,
            ..Request::post(&introspection.endpoint, FORM, body.as_bytes())
        };
        let response = self.client.send(&request).await.map_err(|error| error.to_string())?;
        let media_type = response.content_type.as_deref().unwrap_or_default();
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        if !media_type.eq_ignore_ascii_case(accept) {
            return Err(format!("the answer is not {accept}"));
        }
        read(&response.body, token, self.issuer, &self.trust, clock::now(), wish)
            .map_err(|error| error.to_string())
    }

    /// Reports a fault: once while it stays the same, and at most once in a while.
    fn tell_fault(&self, issuer: &str, fault: &str) {
        if self.told.borrow_mut().fault(fault) {
            self.outbox.announce(
                Level::Error,
                &format!("{fault} while mesh_issuer \"{issuer}\" is asked about a token"),
            );
        }
    }

    fn tell_good(&self, issuer: &str) {
        if self.told.borrow_mut().good() {
            self.outbox.announce(
                Level::Notice,
                &format!("mesh_issuer \"{issuer}\" answers about tokens again"),
            );
        }
    }
}

/// A form (WHATWG URL section 5) of names that need no escape, and values of any bytes.
fn form<'v>(fields: impl IntoIterator<Item = (&'v str, &'v [u8])>) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        add_field(&mut text, name, value);
    }
    text
}

/// Adds a field to a form.
fn add_field(text: &mut String, name: &str, value: &[u8]) {
    if !text.is_empty() {
        text.push('&');
    }
    text.push_str(name);
    text.push('=');
    text.extend(escape(value));
}

/// Escapes all but the unreserved characters of RFC 3986 section 2.3. A space is `%20`, which readers
/// of forms take as well as `+`.
fn escape(bytes: &[u8]) -> PercentEncode<'_> {
    const ESCAPED: &AsciiSet =
        &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    percent_encode(bytes, ESCAPED)
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Questions that wait for an answer at most.
const MAX_OPEN: usize = 1024;

/// Requests to one issuer that are under way at most.
const MAX_AT_ONCE: usize = 64;

/// The least time between two faults that are reported.
const QUIET: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
