use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;

use tempfile::TempDir;
use tokio::runtime::Builder;

use super::*;
use crate::Options;
use crate::file::read_capped;
use crate::stub::{Running, Seen, Stub, TICK, until};

/// A directory with one file, and its path.
fn one_file(contents: &str) -> (TempDir, PathBuf) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, contents).unwrap();
    (dir, path)
}

fn rename_over(path: &Path, contents: &str) {
    let new = path.with_extension("new");
    fs::write(&new, contents).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn each_way_to_rotate_is_seen() {
    let (_dir, path) = one_file("good 1");
    let mut running = Running::watching(&[&path]);
    running.until_published("0: good 1");

    fs::write(&path, "good 2").unwrap();
    running.until_published("0: good 2");
    rename_over(&path, "good 3");
    running.until_published("0: good 3");
    fs::remove_file(&path).unwrap();
    fs::write(&path, "good 4").unwrap();
    running.until_published("0: good 4");
    File::options().append(true).open(&path).unwrap().write_all(b"5").unwrap();
    running.until_published("0: good 45");

    assert_eq!(running.seen.published().len(), 5);
    until("notices", || running.said().len() == 5);
    let path = path.display();
    assert_eq!(running.said()[4], format!("Notice \"{path}\" reloaded: 7 bytes of stub"));
}

#[test]
fn swap_of_a_directory_link_as_kubernetes_does_is_seen() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| dir.path().join(name);
    for version in ["1", "2"] {
        fs::create_dir(at(version)).unwrap();
        fs::write(at(version).join("file"), format!("good {version}")).unwrap();
    }
    symlink("1", at("..data")).unwrap();
    symlink("..data/file", at("file")).unwrap();
    let running = Running::watching(&[&at("file")]);
    running.until_published("0: good 1");

    symlink("2", at("..data_tmp")).unwrap();
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    fs::remove_dir_all(at("1")).unwrap();
    running.until_published("0: good 2");
    assert_eq!(running.seen.published().len(), 2);
}

#[test]
fn write_that_keeps_size_and_mtime_is_seen() {
    let (_dir, path) = one_file("good 1");
    let running = Running::watching(&[&path]);
    running.until_published("0: good 1");
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let mut file = File::options().write(true).open(&path).unwrap();
    file.write_all(b"good 2").unwrap();
    file.set_times(FileTimes::new().set_modified(modified)).unwrap();
    running.until_published("0: good 2");
}

#[test]
fn bad_contents_are_told_once_and_recovery_too() {
    let (_dir, path) = one_file("good 1");
    let mut running = Running::watching(&[&path]);
    running.until_published("0: good 1");

    fs::write(&path, "bad").unwrap();
    running.until_said("bad document of 3 bytes");
    running.seen.ticks(10);
    fs::write(&path, "worse").unwrap();
    running.until_said("bad document of 5 bytes");
    rename_over(&path, "good 2");
    running.until_said("is good again");
    running.seen.ticks(10);

    let path = path.display();
    let kept = "the last good version stays in force";
    assert_eq!(
        running.said(),
        [
            format!("Notice \"{path}\" reloaded: 6 bytes of stub"),
            format!("Error bad document of 3 bytes while reloading \"{path}\", {kept}"),
            format!("Error bad document of 5 bytes while reloading \"{path}\", {kept}"),
            format!("Notice \"{path}\" is good again: 6 bytes of stub"),
        ]
    );
    assert_eq!(running.seen.published(), ["0: good 1", "0: bad", "0: worse", "0: good 2"]);
}

#[test]
fn contents_in_force_are_not_published_again() {
    let (_dir, path) = one_file("good 1");
    let mut running = Running::watching(&[&path]);
    running.until_published("0: good 1");
    fs::write(&path, "bad").unwrap();
    running.until_said("bad document");
    rename_over(&path, "good 1");
    running.until_said("is good again: unchanged");
    rename_over(&path, "good 1");
    // Bad contents that come back are not parsed again either.
    rename_over(&path, "bad");
    until("told again", || running.said().iter().filter(|s| s.contains("bad doc")).count() == 2);
    assert_eq!(running.seen.published(), ["0: good 1", "0: bad"]);
}

#[test]
fn each_way_to_be_unreadable_is_told_once_and_recovers() {
    let (dir, path) = one_file("good 0");
    let mut running = Running::watching(&[&path]);
    running.until_published("0: good 0");
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());

    let gone = || fs::remove_file(&path).unwrap();
    let ways: [(&str, &dyn Fn()); 6] = [
        ("file is empty", &|| fs::write(&path, "").unwrap()),
        ("file is larger than 1000 bytes", &|| fs::write(&path, [b'x'; 1001]).unwrap()),
        ("cannot stat: No such file", &gone),
        ("not a regular file", &|| {
            gone();
            fs::create_dir(&path).unwrap();
        }),
        ("cannot stat: No such file", &|| {
            gone();
            symlink("nowhere", &path).unwrap();
        }),
        ("not a regular file", &|| fs::rename(&fifo, &path).unwrap()),
    ];
    for (number, (told, way)) in (1..).zip(ways) {
        let before = running.said().len();
        way();
        until(told, || running.said().len() == before + 1);
        running.seen.ticks(10);
        assert_eq!(running.said().len(), before + 1, "{:?}", running.said());
        assert!(running.said()[before].starts_with(&format!("Error {told}")));

        let _ = fs::remove_dir(&path);
        rename_over(&path, &format!("good {number}"));
        until("recovery", || running.said().len() == before + 2);
        assert!(running.said()[before + 1].ends_with("is good again: 6 bytes of stub"));
        assert_eq!(running.seen.published().last(), Some(&format!("0: good {number}")));
    }
}

#[test]
fn file_that_comes_back_untouched_is_told_to_be_good_again() {
    let dir = TempDir::new().unwrap();
    let (mounted, away) = (dir.path().join("mounted"), dir.path().join("away"));
    fs::create_dir(&mounted).unwrap();
    let path = mounted.join("file");
    fs::write(&path, "good 1").unwrap();
    let mut running = Running::watching(&[&path]);
    running.until_published("0: good 1");
    // The stamp of the file stays unchanged if its directory goes and comes.
    fs::rename(&mounted, &away).unwrap();
    running.until_said("cannot stat: No such file");
    fs::rename(&away, &mounted).unwrap();
    running.until_said("is good again: unchanged");
    assert_eq!(running.seen.published(), ["0: good 1"]);
}

#[test]
fn file_that_is_being_written_is_looked_at_before_the_interval_ends() {
    let (_dir, path) = one_file("good 1");
    let options = Options { interval: Duration::from_secs(3600), outbox: Outbox::new(true) };
    Running::with(&[(&path, None)], options).until_published("0: good 1");
}

#[test]
fn panic_is_told_once_without_its_text_and_recovers() {
    let (dir, path) = one_file("panic secret");
    let other = dir.path().join("other");
    fs::write(&other, "good 1").unwrap();
    let mut running = Running::watching(&[&path, &other]);
    // It is tried again with backoff, and the other document is watched on.
    let tries = |running: &Running| {
        running.seen.published().iter().filter(|p| *p == "0: panic secret").count()
    };
    until("tries", || tries(&running) >= 3);
    rename_over(&other, "good 2");
    running.until_published("1: good 2");
    rename_over(&path, "good 3");
    running.until_said("is good again");

    let said = running.said();
    let told: Vec<_> = said.iter().filter(|said| said.starts_with("Crit")).collect();
    let path = path.display();
    assert_eq!(told, [&format!("Crit panic while reloading \"{path}\", it is tried again later")]);
    assert!(!said.iter().any(|said| said.contains("secret")));
}

#[test]
fn panic_is_tried_again_less_and_less_often() {
    let (_dir, path) = one_file("panic");
    let running = Running::watching(&[&path]);
    running.until_published("0: panic");
    running.seen.ticks(30);
    // 1 + 2 + 4 + 8 + 16 intervals are between six tries.
    let tries = running.seen.published().len();
    assert!((2..=7).contains(&tries), "{tries}");
}

#[test]
fn contents_before_a_panic_are_published_again_after_it() {
    let (_dir, path) = one_file("good 1");
    let running = Running::watching(&[&path]);
    running.until_published("0: good 1");
    rename_over(&path, "panic");
    running.until_published("0: panic");
    rename_over(&path, "good 1");
    until("again", || running.seen.published().last().is_some_and(|last| last == "0: good 1"));
}

#[test]
fn primed_contents_are_not_read_again() {
    let (_dir, path) = one_file("good 1");
    thread::sleep(Duration::from_millis(120));
    let (_, stamp) = read_capped(&path, 1000).unwrap();
    let mut running = Running::primed(&[(&path, Some(stamp))]);
    running.seen.ticks(5);
    assert_eq!(running.said(), Vec::<String>::new());
    rename_over(&path, "good 2");
    running.until_published("0: good 2");
    assert_eq!(running.seen.published(), ["0: good 2"]);
}

#[test]
fn file_primed_right_after_a_write_is_read_once_more() {
    let (_dir, path) = one_file("good 1");
    let (_, stamp) = read_capped(&path, 1000).unwrap();
    let running = Running::primed(&[(&path, Some(stamp))]);
    running.until_published("0: good 1");
    running.seen.ticks(10);
    assert_eq!(running.seen.published(), ["0: good 1"]);
}

/// Looks at a file by hand, without the thread.
struct Looks {
    watch: Watch,
    document: RefCell<Stub>,
    seen: Arc<Seen>,
}

impl Looks {
    fn at(path: &Path) -> Self {
        let file = WatchedFile { path: path.into(), max_bytes: 1000, primed: None, interval: None };
        let seen = Arc::new(Seen::default());
        let document = RefCell::new(Stub(0, Arc::clone(&seen)));
        Self { watch: Watch::new(file, TICK, Outbox::new(true)), document, seen }
    }

    fn look(&mut self) -> Result<(), Fault> {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(self.watch.look(&self.document))
    }
}

#[test]
fn file_is_not_read_while_it_is_written() {
    let (_dir, path) = one_file("");
    let mut looks = Looks::at(&path);
    for part in ["go", "od", " 1", "2"] {
        let before = Instant::now();
        File::options().append(true).open(&path).unwrap().write_all(part.as_bytes()).unwrap();
        let looked = looks.look();
        // On a busy machine the file may have settled in between.
        if before.elapsed() < LOOK_AGAIN {
            assert_eq!((looked, looks.seen.published()), (Ok(()), Vec::new()));
        }
    }
    until("whole", || {
        looks.look().is_ok() && looks.seen.published().contains(&"0: good 12".into())
    });
}

#[test]
fn file_that_is_written_all_the_time_is_read_now_and_then() {
    let (_dir, path) = one_file("good");
    let mut looks = Looks::at(&path);
    let began = Instant::now();
    let mut number = 0;
    until("published", || {
        number += 1;
        fs::write(&path, format!("good {number}")).unwrap();
        looks.look().unwrap();
        !looks.seen.published().is_empty()
    });
    assert!(began.elapsed() >= LOOK_AGAIN);
    assert_eq!(looks.watch.judged, None);
    // Its stamp is not trusted: the contents are read again once it is left alone.
    fs::write(&path, "good end").unwrap();
    until("end", || looks.look().is_ok() && looks.seen.published().contains(&"0: good end".into()));
}

#[test]
fn file_from_a_clock_ahead_is_read_once_it_was_seen_unchanged() {
    let (_dir, path) = one_file("good");
    let mut looks = Looks::at(&path);
    let real = FileStamp::of(&path).unwrap();
    let ahead = FileStamp { changed: (real.changed.0 + 3600, 1), ..real };
    assert_eq!(looks.watch.still(ahead), None);
    until("still", || looks.watch.still(ahead).is_some());
    // A stamp that is new each time only comes through when patience ends.
    let began = Instant::now();
    let mut nanos = 1;
    let still = loop {
        nanos += 1;
        let stamp = FileStamp { changed: (ahead.changed.0, nanos), ..ahead };
        if let Some(still) = looks.watch.still(stamp) {
            break still;
        }
        thread::sleep(Duration::from_millis(5));
    };
    assert!(!still);
    assert!(began.elapsed() >= MIN_PATIENCE);
}
