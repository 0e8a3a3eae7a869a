use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::mpsc;
use std::thread;

use tempfile::TempDir;

use super::*;

fn still_stamp(path: &Path) -> FileStamp {
    thread::sleep(Duration::from_millis(120));
    FileStamp::of(path).unwrap()
}

/// Runs `read` on a thread of its own: one that blocks fails the test instead of hanging it.
fn within_a_second<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(read()));
    receiver.recv_timeout(Duration::from_secs(1)).expect("blocked")
}

#[test]
fn reads_a_file_whole_through_links_with_its_stamp() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    let contents: Vec<u8> = (0..3_u32 << 17).flat_map(u32::to_le_bytes).collect();
    fs::write(&path, &contents).unwrap();
    let link = dir.path().join("link");
    symlink("file", &link).unwrap();
    let stamp = still_stamp(&path);
    let (bytes, read) = read_capped(&link, u64::MAX).unwrap();
    assert!(bytes == contents);
    assert_eq!(read, stamp);
    assert_eq!(FileStamp::of(&link).unwrap(), stamp);
}

#[test]
fn stamp_of_a_file_written_just_now_matches_nothing() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "a").unwrap();
    let (_, read) = read_capped(&path, 10).unwrap();
    let stamp = FileStamp::of(&path).unwrap();
    assert_ne!(read, stamp);
    assert!(!read.held_still(SystemTime::now() + Duration::from_secs(10)));
    let changed = UNIX_EPOCH
        + Duration::new(stamp.changed.0.try_into().unwrap(), stamp.changed.1.try_into().unwrap());
    assert!(!stamp.held_still(changed + stamp.settle() - Duration::from_nanos(1)));
    assert!(stamp.held_still(changed + stamp.settle()));
    assert!(!stamp.held_still(changed - Duration::from_secs(5)));
}

#[test]
fn file_system_of_whole_seconds_takes_longer_to_settle() {
    let fine = FileStamp { device: 1, inode: 1, modified: (9, 0), changed: (9, 5), size: 1 };
    let coarse = FileStamp { changed: (9, 0), ..fine };
    let now = UNIX_EPOCH + Duration::from_millis(9_500);
    assert!(fine.held_still(now));
    assert!(!coarse.held_still(now));
    assert!(coarse.held_still(UNIX_EPOCH + Duration::from_secs(11)));
}

#[test]
fn cap_is_the_last_size_that_is_read() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "12345").unwrap();
    assert_eq!(read_capped(&path, 5).unwrap().0, b"12345");
    let error = read_capped(&path, 4).unwrap_err();
    assert_eq!(error.to_string(), "file is larger than 4 bytes");
}

#[test]
fn file_that_grows_past_the_cap_while_read_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "123").unwrap();
    let mut reading = Reading::open(&path, 4).unwrap();
    fs::write(&path, "12345").unwrap();
    assert!(matches!(reading.read_chunk(), Err(ReadError::TooLarge(4))));
}

#[test]
fn file_without_a_size_is_still_capped() {
    // Files of proc have size 0 and contents all the same.
    assert!(!read_capped(Path::new("/proc/self/status"), 1 << 20).unwrap().0.is_empty());
    let error = read_capped(Path::new("/proc/self/status"), 16).unwrap_err();
    assert!(matches!(error, ReadError::TooLarge(16)), "{error}");
}

#[test]
fn file_written_while_read_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "123").unwrap();
    let mut reading = Reading::open(&path, 10).unwrap();
    assert!(!reading.read_chunk().unwrap());
    fs::write(&path, "1234").unwrap();
    assert!(matches!(reading.finish(), Err(ReadError::Changing)));
}

#[test]
fn empty_file_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "").unwrap();
    assert!(matches!(read_capped(&path, 10), Err(ReadError::Empty)));
}

#[test]
fn vanished_and_dangling_files_are_told_apart_from_others() {
    let dir = TempDir::new().unwrap();
    let link = dir.path().join("link");
    symlink("nowhere", &link).unwrap();
    for path in [link, dir.path().join("none")] {
        let error = read_capped(&path, 10).unwrap_err();
        assert!(matches!(&error, ReadError::Stat(e) if e.kind() == io::ErrorKind::NotFound));
    }
}

#[test]
fn all_but_regular_files_are_refused_without_blocking() {
    let dir = TempDir::new().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let socket = dir.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    for path in [fifo, socket, dir.path().to_owned(), "/dev/zero".into(), "/dev/tty".into()] {
        let error = within_a_second(move || read_capped(&path, 10).unwrap_err());
        assert!(matches!(error, ReadError::NotRegular), "{error}");
    }
}

#[test]
fn fifo_that_takes_a_files_place_before_it_is_opened_does_not_block() {
    let dir = TempDir::new().unwrap();
    let fifo = dir.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let error = within_a_second(move || open_regular(&fifo).unwrap_err());
    assert!(matches!(error, ReadError::NotRegular), "{error}");
}

#[test]
fn attributes_alone_change_the_stamp() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("file");
    fs::write(&path, "123").unwrap();
    let before = still_stamp(&path);
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    assert_ne!(FileStamp::of(&path).unwrap(), before);
}
