use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use mesh_core::claims::Kept;
use mesh_core::issuer::Issuer;
use mesh_core::refusal::Reason;
use mesh_core::testing::{self, Lines};

use super::*;
use crate::stub::until;
use crate::{Control, Options, Outbox};

/// An issuer that is asked at that address.
pub(super) fn issuer(url: &str, lines: Lines<'_>) -> Issuer {
    let usual: Lines<'_> =
        &[("issuer", &["https://idp.example"]), ("audience", &["api"]), ("introspection", &[url])];
    testing::issuers(&[("idp", &[usual, lines].concat())]).issuers.remove(0)
}

/// A server that passes each whole request on, with the connection to answer it on.
fn server() -> (String, Receiver<(String, TcpStream)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/introspect", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, sender) = (stream.unwrap(), sender.clone());
            thread::spawn(move || {
                let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
                loop {
                    let count = stream.read(&mut chunk).unwrap_or(0);
                    bytes.extend_from_slice(&chunk[..count]);
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    if text.contains("token_type_hint=access_token") {
                        let _ = sender.send((text, stream));
                        return;
                    }
                    if count == 0 {
                        return;
                    }
                }
            });
        }
    });
    (url, receiver)
}

fn answer(stream: &mut TcpStream, body: &str) {
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json";
    let _ = write!(stream, "{head}\r\nContent-Length: {length}\r\n\r\n{body}");
}

/// A running thread that asks, and how often it has woken the event loop.
struct Asking {
    control: Control,
    desk: Desk,
    wakes: Arc<AtomicUsize>,
}

impl Asking {
    fn at(url: &str, lines: &[(&str, &[&str])]) -> Self {
        let client = ("introspection_client", &["gateway", "secret=/nowhere"][..]);
        let issuer = issuer(url, &[&[client], lines].concat());
        let how = issuer.introspection.clone().unwrap();
        let secret = Credential::read(&how.client, b"secret\n").unwrap();
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let introspector = Introspector {
            trust: Arc::new(Trust::new(vec![issuer], Kept::default(), Vec::new())),
            credentials: vec![(0, Arc::new(secret))],
            wake: Arc::new(move || {
                counter.fetch_add(1, Ordering::SeqCst);
            }),
        };
        let (desk, counter) = introspector.open();
        let options = Options { outbox: Outbox::new(false), ..Options::default() };
        let control = Control::start(vec![Box::new(counter)], options).unwrap();
        Self { control, desk, wakes }
    }

    fn ask(&self, token: &str) -> bool {
        self.desk.ask(Question { issuer: 0, token: token.as_bytes().into() })
    }

    /// Waits for that many answers: the result for each token.
    fn answers(&self, count: usize) -> HashMap<String, String> {
        let mut all = HashMap::new();
        until("answers", || {
            for answered in self.desk.answers() {
                let token = String::from_utf8(answered.question.token.into()).unwrap();
                let became = match answered.answer {
                    Some(Answer::Active(token)) => token.service().unwrap_or_default().to_owned(),
                    Some(Answer::Refused(reason)) => reason.to_string(),
                    None => "nothing".to_owned(),
                };
                assert!(all.insert(token, became).is_none(), "answered twice");
            }
            all.len() >= count
        });
        all
    }

    fn said(&self) -> String {
        self.control.messages().map(|message| message.text + "\n").collect()
    }
}

#[test]
fn each_question_has_one_answer_and_wakes_the_event_loop() {
    let (url, requests) = server();
    let asking = Asking::at(&url, &[]);
    thread::spawn(move || {
        for (text, mut stream) in requests {
            assert!(text.starts_with("POST /introspect HTTP/1.1\r\n"), "{text}");
            assert!(text.contains("authorization: Basic Z2F0ZXdheTpzZWNyZXQ=\r\n"), "{text}");
            let (_, form) = text.split_once("\r\n\r\n").unwrap();
            let token = form.split('&').next().unwrap().trim_start_matches("token=");
            match token {
                "off" => answer(&mut stream, r#"{"active":false}"#),
                "bad" => answer(&mut stream, "<html>"),
                _ => answer(
                    &mut stream,
                    &format!(r#"{{"active":true,"aud":"api","sub":"{token}"}}"#),
                ),
            }
        }
    });
    let tokens: Vec<_> = (0..200).map(|number| format!("t{number}")).collect();
    for token in tokens.iter().map(String::as_str).chain(["off", "bad", "a+/="]) {
        assert!(asking.ask(token));
    }
    let answers = asking.answers(203);
    assert!(tokens.iter().all(|token| answers[token] == *token));
    assert_eq!(answers["off"], Reason::TokenInactive.word());
    assert_eq!(answers["bad"], "nothing");
    assert_eq!(answers["a+/="], "a%2B%2F%3D");
    assert_eq!(asking.wakes.load(Ordering::SeqCst), 203);
    let said = asking.said();
    assert!(said.contains("mesh_issuer \"idp\" is asked about a token"), "{said}");
    assert!(!said.contains("secret") && !said.contains("t199"), "{said}");
}

#[test]
fn a_few_requests_are_under_way_and_the_others_wait_their_turn() {
    let (url, requests) = server();
    let asking = Asking::at(&url, &[("introspection_timeout", &["60s"])]);
    for number in 0..MAX_AT_ONCE + 10 {
        assert!(asking.ask(&number.to_string()));
    }
    let mut held: Vec<_> = requests.iter().take(MAX_AT_ONCE).collect();
    assert!(requests.recv_timeout(Duration::from_millis(200)).is_err(), "one more is under way");
    for (_, stream) in &mut held {
        answer(stream, r#"{"active":false}"#);
    }
    for (_, mut stream) in requests.iter().take(10) {
        answer(&mut stream, r#"{"active":false}"#);
    }
    assert_eq!(asking.answers(MAX_AT_ONCE + 10).len(), MAX_AT_ONCE + 10);
}

#[test]
fn a_silent_issuer_is_given_up_after_its_time_and_the_queue_with_it() {
    let (url, requests) = server();
    let asking = Asking::at(&url, &[("introspection_timeout", &["1s"])]);
    let mut count = 0;
    while asking.ask(&count.to_string()) {
        count += 1;
    }
    assert_eq!(count, MAX_OPEN, "questions are bounded");
    let answers = asking.answers(MAX_OPEN);
    assert!(answers.values().all(|answer| answer == "nothing"));
    assert!(requests.iter().take(MAX_AT_ONCE).count() == MAX_AT_ONCE);
    assert!(asking.ask("more"), "there is room again");
    assert!(asking.said().contains("timed out"));
}

#[test]
fn an_issuer_that_is_down_is_no_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let asking = Asking::at(&url, &[]);
    assert!(asking.ask("a"));
    assert_eq!(asking.answers(1)["a"], "nothing");
    assert!(asking.said().contains("cannot connect"));
}

#[test]
fn an_issuer_that_is_not_asked_or_not_there_is_no_answer() {
    let (url, _requests) = server();
    let asking = Asking::at(&url, &[]);
    assert!(asking.desk.ask(Question { issuer: 7, token: (*b"a").into() }));
    assert_eq!(asking.answers(1)["a"], "nothing");

    asking.control.stop();
    assert!(!asking.desk.ask(Question { issuer: 0, token: (*b"a").into() }));
    assert!(asking.desk.answers().is_empty());
}

#[test]
fn the_end_of_the_thread_waits_for_no_answer() {
    let (url, requests) = server();
    let asking = Asking::at(&url, &[("introspection_timeout", &["60s"])]);
    assert!(asking.ask("a"));
    let _held = requests.recv().unwrap();
    let began = Instant::now();
    asking.control.stop();
    assert!(began.elapsed() < Duration::from_secs(30), "not even for half its time");
}
