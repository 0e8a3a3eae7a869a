#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow: it panics")]

use proptest::prelude::*;
use serde_json::json;

use super::super::{Answer, tests::issuer};
use super::*;
use crate::claims::Kept;
use crate::issuer::trust::Trust;
use crate::text::time::UnixTime;

const TIMES: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(10));

fn at(secs: u64) -> Tick {
    Tick::from_millis(secs * 1000)
}

fn question(token: &str) -> Question {
    Question { issuer: 0, token: token.as_bytes().into() }
}

fn active(subject: &str) -> Answer {
    let trust = Trust::new(vec![issuer(&[])], Kept::default(), Vec::new());
    let body = json!({ "active": true, "aud": "api", "sub": subject }).to_string();
    super::super::read(body.as_bytes(), b"t", 0, &trust, UnixTime::from_secs(0), &mut None).unwrap()
}

fn state(known: &mut Introspections, token: &str, now: Tick) -> String {
    match known.find(0, token.as_bytes(), now) {
        Known::Active(token) => token.service().unwrap_or_default().to_owned(),
        Known::Nothing => "nothing".to_owned(),
        Known::Refused(reason) => reason.to_string(),
    }
}

#[test]
fn a_question_is_asked_once_until_it_is_answered_or_given_up() {
    let mut known = Introspections::default();
    let patience = Duration::from_secs(5);
    assert_eq!(known.ask(&question("a"), patience, at(0)), Asked::Now);
    assert_eq!(known.ask(&question("a"), patience, at(4)), Asked::Already);
    assert_eq!(known.ask(&question("b"), patience, at(4)), Asked::Now);
    let other = Question { issuer: 1, ..question("a") };
    assert_eq!(known.ask(&other, patience, at(4)), Asked::Now, "another issuer is asked itself");
    assert_eq!(known.ask(&question("a"), patience, at(5)), Asked::Now, "nobody answered");
    known.answer(&question("a"), Answer::Refused(Reason::TokenInactive), TIMES, at(5));
    assert_eq!(known.ask(&question("a"), patience, at(5)), Asked::Now);
    known.give_up(&question("a"), at(5));
    assert_eq!(known.ask(&question("a"), patience, at(5)), Asked::Now);
}

#[test]
fn an_answer_counts_for_its_time_and_for_its_issuer() {
    let mut known = Introspections::default();
    known.answer(&question("a"), active("one"), TIMES, at(0));
    known.answer(&question("b"), Answer::Refused(Reason::TokenInactive), TIMES, at(0));
    assert_eq!(state(&mut known, "a", at(59)), "one");
    assert!(matches!(known.find(1, b"a", at(0)), Known::Nothing));
    assert_eq!(state(&mut known, "b", at(9)), "token_inactive");
    assert_eq!(state(&mut known, "b", at(10)), "nothing");
    assert_eq!(state(&mut known, "a", at(60)), "nothing");
    assert_eq!(known.counts(), [0, 0, 0]);
}

#[test]
fn the_last_answer_counts() {
    let mut known = Introspections::default();
    known.answer(&question("a"), active("one"), TIMES, at(0));
    known.answer(&question("a"), Answer::Refused(Reason::TokenInactive), TIMES, at(1));
    assert_eq!(state(&mut known, "a", at(1)), "token_inactive");
    known.answer(&question("a"), active("two"), TIMES, at(2));
    assert_eq!(state(&mut known, "a", at(2)), "two");
    known.give_up(&question("a"), at(3));
    assert_eq!(state(&mut known, "a", at(3)), "two", "what is known counts on");
}

#[test]
fn the_dead_answer_nobody() {
    let mut known = Introspections::default();
    for token in ["a", "b"] {
        known.ask(&question(token), Duration::from_secs(5), at(0));
    }
    known.give_up_all(at(1));
    assert_eq!(known.counts(), [0, 2, 0]);
    assert_eq!(state(&mut known, "b", at(1)), "introspection_unavailable");
    assert_eq!(state(&mut known, "b", at(2)), "nothing");
}

#[test]
fn a_token_in_use_is_asked_about_in_the_last_quarter_of_its_time() {
    let mut known = Introspections::default();
    let patience = Duration::from_secs(5);
    known.answer(&question("a"), active("one"), TIMES, at(0));
    assert_eq!(state(&mut known, "a", at(44)), "one");
    assert_eq!(known.take_renewal(), None);
    assert_eq!(state(&mut known, "a", at(45)), "one");
    let due = known.take_renewal().unwrap();
    assert_eq!(due, question("a"));
    assert_eq!(known.take_renewal(), None);

    assert_eq!(known.ask(&due, patience, at(45)), Asked::Now);
    assert_eq!(state(&mut known, "a", at(46)), "one");
    assert_eq!(known.take_renewal(), None, "it is being asked");
    known.give_up(&due, at(47));
    assert_eq!(state(&mut known, "a", at(47)), "one", "no answer changes nothing");
    assert_eq!(known.take_renewal(), None, "it was asked a moment ago");
    assert_eq!(state(&mut known, "a", at(48)), "one");
    assert!(known.take_renewal().is_some());

    known.answer(&due, active("two"), TIMES, at(50));
    assert_eq!(state(&mut known, "a", at(94)), "two");
    assert_eq!(known.take_renewal(), None);
    known.answer(&due, Answer::Refused(Reason::TokenInactive), TIMES, at(95));
    assert_eq!(state(&mut known, "a", at(95)), "token_inactive");
    assert_eq!(known.take_renewal(), None);
}

#[test]
fn who_waits_comes_before_what_is_asked_ahead_of_time() {
    let mut known = Introspections::default();
    known.answer(&question("a"), active("one"), TIMES, at(0));
    for number in 0..MAX_PENDING / RENEWALS_PART {
        known.ask(&question(&number.to_string()), Duration::from_secs(5), at(50));
    }
    assert_eq!(state(&mut known, "a", at(50)), "one");
    assert_eq!(known.take_renewal(), None);
}

#[test]
fn guesses_push_out_no_good_token() {
    let mut known = Introspections::with_capacity(8);
    known.answer(&question("good"), active("one"), TIMES, at(0));
    for guess in 0..1000 {
        let guess = question(&format!("guess {guess}"));
        known.answer(&guess, Answer::Refused(Reason::TokenInactive), TIMES, at(0));
    }
    assert_eq!(state(&mut known, "good", at(0)), "one");
    assert_eq!(known.counts(), [1, 2, 0]);
}

#[test]
fn bytes_are_bounded_as_entries_are() {
    let mut known = Introspections::with_capacity(8);
    for token in 0..8 {
        let token = format!("{token}").repeat(4000);
        known.answer(&question(&token), active("one"), TIMES, at(0));
    }
    assert!(known.active.bytes <= 8 * BYTES_EACH);
    assert_eq!(known.counts(), [2, 0, 0]);
}

#[test]
fn waiting_questions_are_bounded() {
    let mut known = Introspections::default();
    let patience = Duration::from_secs(5);
    for number in 0..MAX_PENDING {
        assert_eq!(known.ask(&question(&number.to_string()), patience, at(0)), Asked::Now);
    }
    assert_eq!(known.ask(&question("more"), patience, at(4)), Asked::TooMany);
    assert_eq!(known.ask(&question("0"), patience, at(4)), Asked::Already);
    assert_eq!(known.ask(&question("more"), patience, at(5)), Asked::Now);
    assert_eq!(known.counts(), [0, 0, 1]);
}

#[test]
fn an_issuer_that_does_not_answer_leaves_the_others_their_share() {
    let mut known = Introspections::default();
    known.share_among(4);
    let patience = Duration::from_secs(5);
    known.answer(&Question { issuer: 1, ..question("a") }, active("one"), TIMES, at(0));
    for number in 0..MAX_PENDING / 4 {
        assert_eq!(known.ask(&question(&number.to_string()), patience, at(50)), Asked::Now);
    }
    assert_eq!(known.ask(&question("more"), patience, at(50)), Asked::TooMany);
    let other = Question { issuer: 1, ..question("more") };
    assert_eq!(known.ask(&other, patience, at(50)), Asked::Now);
    assert!(matches!(known.find(1, b"a", at(50)), Known::Active(_)));
    assert!(known.take_renewal().is_some(), "tokens of others are asked about ahead of time");
}

proptest! {
    #[test]
    fn the_books_are_right_after_any_course(
        steps in prop::collection::vec((0..5_u8, 0..6_u8, 1..40_usize, 0..20_u64), 0..80),
    ) {
        let mut known = Introspections::with_capacity(4);
        let mut now = 0;
        for (what, token, length, secs) in steps {
            now += secs;
            let question = question(&format!("{token}").repeat(length * 100));
            match what {
                0 => known.answer(&question, active("one"), TIMES, at(now)),
                1 => {
                    let answer = Answer::Refused(Reason::TokenInactive);
                    known.answer(&question, answer, TIMES, at(now));
                }
                2 => known.give_up(&question, at(now)),
                3 => { known.ask(&question, Duration::from_secs(5), at(now)); }
                _ => { known.find(0, &question.token, at(now)); }
            }
            for (bytes, weights, len, capacity) in [
                (known.active.bytes, known.active.entries.iter().map(|(_, (_, weight))| weight).sum(), known.active.entries.len(), 4),
                (known.refused.bytes, known.refused.entries.iter().map(|(_, (_, weight))| weight).sum::<usize>(), known.refused.entries.len(), 1),
            ] {
                prop_assert_eq!(bytes, weights);
                prop_assert!(len <= capacity && bytes <= capacity * BYTES_EACH);
            }
        }
    }
}
