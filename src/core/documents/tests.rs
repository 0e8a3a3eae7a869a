#![expect(clippy::arithmetic_side_effects, reason = "sizes of test memory")]

use core::slice;

use proptest::prelude::*;

use super::*;
use crate::testing;

/// Memory for a few documents of up to 1,024 words.
struct Zone {
    header: Header,
    slots: Vec<Slot>,
    words: Vec<Word>,
}

const ROOM: usize = 1_024;
const SOURCES: [Source; 3] = [Source([1; 32]), Source([2; 32]), Source([3; 32])];

impl Zone {
    fn new(sources: &[Source]) -> Self {
        let count = rows(sources.len()) + sources.len() * 2 * ROOM;
        let zone = Self {
            header: Header::default(),
            slots: sources.iter().map(|_| Slot::default()).collect(),
            words: (0..count).map(|_| Word::default()).collect(),
        };
        Documents::begin(&zone.header, &zone.slots, &zone.words, sources).unwrap();
        zone
    }

    fn open(&self) -> Documents<'_> {
        Documents::open(&self.header, &self.slots, &self.words).unwrap()
    }

    /// A process that is killed after so many strokes.
    fn dying_after(&self, strokes: u32) -> Documents<'_> {
        Documents { pen: Pen::dying_after(strokes), ..self.open() }
    }
}

fn at(secs: i64) -> UnixTime {
    UnixTime::from_secs(secs)
}

fn holder(pid: u32) -> Holder {
    Holder::new(pid, 1).unwrap()
}

/// Publishes as a new leader, which takes any other one for dead.
fn publish(documents: &Documents<'_>, document: usize, bytes: &[u8], time: i64) -> bool {
    let Some(lead) = documents.take_lead(0) else { return false };
    let lock = documents.lock(holder(1)).or_else(|other| documents.seize(other, holder(2)));
    lock.is_ok_and(|lock| documents.publish(document, bytes, at(time), lead, &lock))
}

#[test]
fn what_is_published_is_read_with_its_generation_and_time() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    assert_eq!((documents.head(1), documents.read(1)), (None, None));
    for (generation, text) in (1..).zip(["one", "two", "a third one"]) {
        let time = 100 + i64::try_from(generation).unwrap();
        assert!(publish(&documents, 1, text.as_bytes(), time));
        let found = Found { generation, confirmed: at(time), bytes: text.into() };
        assert_eq!(documents.read(1), Some(found));
        assert_eq!(documents.head(1), Some(Head { generation, confirmed: at(time) }));
    }
    assert_eq!((documents.read(0), documents.read(2), documents.read(3)), (None, None, None));
}

#[test]
fn a_confirmation_changes_the_time_alone() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    let lead = documents.take_lead(0).unwrap();
    let lock = documents.lock(holder(1)).unwrap();
    assert!(!documents.confirm(0, at(7), lead, &lock));
    assert!(documents.publish(0, b"one", at(7), lead, &lock));
    assert!(documents.confirm(0, at(9), lead, &lock));
    let head = Head { generation: 1, confirmed: at(9) };
    assert_eq!(documents.head(0), Some(head));
    assert_eq!(documents.read(0).unwrap().confirmed, at(9));
}

#[test]
fn who_lost_the_lead_or_the_lock_changes_nothing() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    let old = documents.take_lead(0).unwrap();
    let lock = documents.lock(holder(1)).unwrap();
    assert!(documents.publish(0, b"one", at(1), old, &lock));
    let new = documents.take_lead(0).unwrap();
    assert!(documents.leads(new) && !documents.leads(old));
    assert!(!documents.publish(0, b"two", at(2), old, &lock));
    assert!(!documents.confirm(0, at(2), old, &lock));
    // These need no leader.
    assert!(documents.record(1, b"file", at(2), &lock));
    assert_eq!(documents.read(1).unwrap().bytes, b"file");

    assert_eq!(documents.lock(holder(2)).unwrap_err(), holder(1));
    let seized = documents.seize(holder(1), holder(2)).unwrap();
    assert!(!lock.is_held() && seized.is_held());
    assert!(!documents.publish(0, b"two", at(2), new, &lock));
    assert!(!documents.record(1, b"two", at(2), &lock));
    assert!(!documents.confirm(0, at(2), new, &lock));
    drop(lock);
    assert!(seized.is_held());
    assert!(documents.publish(0, b"three", at(3), new, &seized));
    drop(seized);
    assert!(documents.lock(holder(3)).is_ok());
    assert_eq!(documents.read(0).unwrap().bytes, b"three");
}

#[test]
fn the_last_worker_that_began_leads_unless_its_cycle_is_over() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    let cycles = [documents.begin_cycle(), documents.begin_cycle()];
    let first = documents.take_lead(cycles[0]).unwrap();
    let second = documents.take_lead(cycles[1]).unwrap();
    assert!(!documents.leads(first) && documents.leads(second));
    assert_eq!(documents.take_lead(cycles[0]), None);
    let respawned = documents.take_lead(cycles[1]).unwrap();
    assert!(documents.leads(respawned) && !documents.leads(second));
}

#[test]
fn a_document_may_fill_its_room_and_no_more() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    for length in [1, 7, 8, 9, 8 * ROOM - 1, 8 * ROOM] {
        let bytes: Vec<u8> = (0..=255).cycle().take(length).collect();
        assert!(publish(&documents, 2, &bytes, 1), "{length}");
        assert_eq!(documents.read(2).unwrap().bytes, bytes, "{length}");
    }
    let before = documents.read(2);
    for length in [0, 8 * ROOM + 1, CAPACITY + 1] {
        assert!(!publish(&documents, 2, &vec![1; length], 2), "{length}");
        assert_eq!(documents.read(2), before, "{length}");
    }
}

#[test]
fn a_slot_is_found_by_its_source_alone() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    for (index, source) in SOURCES.iter().enumerate() {
        assert_eq!(documents.find(source), Some(index));
    }
    assert_eq!(documents.find(&Source([4; 32])), None);
    assert!(documents.are_of(&SOURCES) && !documents.are_of(&SOURCES[..2]));
    assert!(!documents.are_of(&[SOURCES[1], SOURCES[0], SOURCES[2]]));
}

#[test]
fn a_source_is_name_issuer_and_place() {
    let source = |name: &str, url: &str, jwks: Option<&str>| {
        let jwks = jwks.as_ref().map(|jwks| ("jwks", slice::from_ref(jwks)));
        let mut lines = vec![("issuer", slice::from_ref(&url)), ("audience", &["api"])];
        lines.extend(jwks);
        let main = testing::issuers(&[(name, &lines)]);
        Source::of(&main.issuers[0])
    };
    let url = "https://a.example";
    let all = [
        source("a", url, None),
        source("b", url, None),
        source("a", "https://b.example", None),
        source("a", url, Some("https://a.example/.well-known/openid-configuration")),
        source("a", url, Some("https://a.example/keys")),
        source("a", url, Some("keys.json")),
    ];
    for (at, one) in all.iter().enumerate() {
        assert_eq!(all.iter().position(|other| other == one), Some(at));
    }
    assert_eq!(source("a", url, None), all[0]);
}

#[test]
fn other_sources_have_another_memory() {
    let [a, b, c] = SOURCES;
    let names = [vec![a], vec![b], vec![a, b], vec![b, a], vec![a, b, c]].map(|it| zone_name(&it));
    for (at, name) in names.iter().enumerate() {
        assert!(name.starts_with(ZONE) && name.len() == ZONE.len() + 16, "{name}");
        assert_eq!(names.iter().position(|other| other == name), Some(at));
    }
}

#[test]
fn memory_that_is_something_else_is_refused() {
    let zone = Zone::new(&SOURCES);
    let open = |slots, words| Documents::open(&zone.header, slots, words).map(|_| ());
    assert_eq!(open(&zone.slots[1..], &zone.words), Err(DocumentsError::Size));
    assert_eq!(open(&zone.slots, &zone.words[..10]), Err(DocumentsError::Size));
    let again = Documents::begin(&zone.header, &zone.slots, &zone.words, &SOURCES);
    assert_eq!(again.map(|_| ()), Err(DocumentsError::Foreign));
    let unused = Header::default();
    assert_eq!(unused.documents(), None);
    assert!(Documents::open(&unused, &zone.slots, &zone.words).is_err());
    zone.header.stamp.overwrite(LABEL.magic, LABEL.layout + 1);
    assert_eq!(open(&zone.slots, &zone.words), Err(DocumentsError::Foreign));
}

#[test]
fn memory_that_was_not_zeroed_behind_its_first_words_does_no_harm() {
    let zone = Zone::new(&SOURCES);
    for word in &zone.words[rows(SOURCES.len())..] {
        word.store(0x5a5a_5a5a_5a5a_5a5a, Relaxed);
    }
    assert_eq!(zone.open().read(0), None);
    assert!(publish(&zone.open(), 0, b"one", 1));
    assert_eq!(zone.open().read(0).unwrap().bytes, b"one");
}

#[test]
fn a_document_that_is_spoilt_is_not_read_and_the_one_before_it_is() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    assert!(publish(&documents, 0, b"one", 1) && publish(&documents, 0, b"two", 2));
    // As a writer does that was taken for dead.
    let second =
        zone.words.iter().find(|word| word.load(Relaxed) == u64::from_le_bytes(*b"two\0\0\0\0\0"));
    second.unwrap().store(1, Relaxed);
    let found = Found { generation: 1, confirmed: at(1), bytes: b"one".to_vec() };
    assert_eq!(documents.read(0), Some(found));
    // The good one is not the one that the next leader writes over.
    for strokes in 0..30 {
        publish(&zone.dying_after(strokes), 0, b"three", 3);
        let bytes = documents.read(0).unwrap().bytes;
        assert!(bytes == b"one" || bytes == b"three", "{strokes}: {bytes:?}");
    }
    assert_eq!(documents.read(0).unwrap().bytes, b"three");
}

#[test]
fn seeds_keep_their_generation_and_time() {
    let zone = Zone::new(&SOURCES);
    let found = Found { generation: 41, confirmed: at(5), bytes: b"one".to_vec() };
    assert!(zone.open().seed(1, &found));
    assert_eq!(zone.open().read(1), Some(found));
    assert!(publish(&zone.open(), 1, b"two", 6));
    assert_eq!(zone.open().head(1), Some(Head { generation: 42, confirmed: at(6) }));
}

#[test]
fn a_failure_is_kept_whole_and_bounded() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    assert_eq!(documents.failure(0), None);
    let failure =
        |word: &str, text: &str| Failure { at: at(-3), word: word.into(), text: text.into() };
    for (word, text) in [("timeout", "no answer within 5 s"), ("", ""), ("tls", "é\"\n")] {
        documents.fail(0, &failure(word, text));
        assert_eq!(documents.failure(0), Some(failure(word, text)));
    }
    documents.fail(0, &failure(&"w".repeat(33), &"aé".repeat(200)));
    let Failure { word, text, .. } = documents.failure(0).unwrap();
    assert_eq!((word.len(), text.len()), (32, 240));
    documents.fail(0, &failure("x", &format!("a{}", "é".repeat(200))));
    assert_eq!(documents.failure(0).unwrap().text.len(), 239);
    assert_eq!(documents.failure(1), None);
}

#[test]
fn wishes_come_in_their_order_once_each_and_only_modest_ones() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    assert_eq!(documents.take_wish(0), None);
    let longest = "k".repeat(127);
    for kid in ["a", "b", "a", &longest, "", "a b", "é", &"k".repeat(128)] {
        documents.wish(0, kid);
    }
    documents.wish(1, "c");
    let taken: Vec<_> = core::iter::from_fn(|| documents.take_wish(0)).collect();
    assert_eq!(taken, ["a".into(), "b".into(), longest.into_boxed_str()]);
    assert_eq!(documents.take_wish(1).as_deref(), Some("c"));
    // Of many wishes, the newest.
    for number in 0..100 {
        documents.wish(0, &number.to_string());
    }
    let taken: Vec<_> = core::iter::from_fn(|| documents.take_wish(0)).collect();
    assert_eq!(taken, ["96", "97", "98", "99"].map(Box::from));
}

#[test]
fn a_worker_tells_what_it_has_until_another_one_has_its_number() {
    let zone = Zone::new(&SOURCES);
    let documents = zone.open();
    assert_eq!(documents.worker(1), None);
    documents.enter(1, 77);
    documents.adopted(1, 77, 2, 9);
    documents.adopted(1, 77, 3, 9);
    assert_eq!(documents.worker(1), Some((77, vec![0, 0, 9])));
    documents.enter(1, 78);
    documents.adopted(1, 77, 2, 10);
    assert_eq!(documents.worker(1), Some((78, vec![0, 0, 0])));
    documents.enter(WORKERS, 1);
    assert_eq!((documents.worker(WORKERS), documents.worker(0)), (None, None));
}

#[test]
fn the_parts_of_the_memory_follow_each_other() {
    let Layout { slots, words, count, zeroed, bytes } = Layout::of(3);
    assert_eq!(slots, 64);
    assert_eq!(words, slots + 3 * size_of::<Slot>());
    assert!(slots.is_multiple_of(align_of::<Slot>()) && words.is_multiple_of(align_of::<Word>()));
    assert_eq!(zeroed, 4 * WORKERS);
    assert_eq!(bytes, words + 8 * count);
    assert_eq!(count, zeroed + 6 * CAPACITY / 8);
}

proptest! {
    /// Leaders one after another, each of them killed at some stroke: readers see what was published
    /// last, or what the killed one was about to publish.
    #[test]
    fn killed_leaders_lose_nothing(deaths in prop::collection::vec((0_u32..40, 1_usize..60), 1..12)) {
        let zone = Zone::new(&SOURCES[..1]);
        let reader = zone.open();
        let mut last = None;
        for (number, (strokes, length)) in deaths.into_iter().enumerate() {
            let bytes = vec![u8::try_from(number).unwrap(); length];
            let published = publish(&zone.dying_after(strokes), 0, &bytes, 1);
            let found = reader.read(0).map(|found| found.bytes);
            prop_assert!(found == Some(bytes.clone()) || (!published && found == last));
            last = found;
        }
        let whole = b"the end".to_vec();
        prop_assert!(publish(&reader, 0, &whole, 2));
        prop_assert_eq!(reader.read(0).unwrap().bytes, whole);
    }
}
