use proptest::prelude::*;

use crate::body::{BodyError, Boundary, Extract, Reader, Type, Use, Wanted};

/// What is found at once, which is what is found in pieces of any length.
fn parts(selected: &[&str], boundary: &str, body: &[u8]) -> Result<Extract, BodyError> {
    let pointers: Vec<_> = selected.iter().map(|it| (*it, Use::Value)).collect();
    let wanted = Wanted::new(&pointers, Some(&["cause"])).unwrap();
    let read = |length: usize| {
        let kind = Type::Multipart(Boundary::new(boundary).unwrap());
        let mut reader = Reader::new(kind, &wanted);
        body.chunks(length.max(1)).try_for_each(|piece| reader.feed(piece))?;
        reader.finish()
    };
    let whole = read(body.len());
    for length in [1, 2, 7] {
        assert_eq!(read(length), whole);
    }
    whole
}

fn values(found: &Extract, place: usize) -> Vec<&str> {
    (0..).map_while(|at| found.value(place, at)).collect()
}

/// A body of one part with those fields, and another part.
fn with(fields: &str, data: &str) -> Result<Extract, BodyError> {
    let other = "--b\r\nContent-Disposition: form-data; name=\"z\"\r\n\r\n\r\n--b--\r\n";
    parts(&["/a"], "b", format!("--b\r\n{fields}\r\n\r\n{data}\r\n{other}").as_bytes())
}

const A: &str = "Content-Disposition: form-data; name=\"a\"";

#[test]
fn fields_are_kept_and_files_are_skipped() {
    let body = b"----x\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/Shared/a\r\n\r\n\
        ----x\r\ncontent-disposition:form-data;name=content;filename=\"a \xc3\xa4.py\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n\x00\xff\r\n--\r\n---x\r\n----\r\n\
        ----x\r\nContent-Disposition: form-data; name=\"empty\"\r\n\r\n\r\n----x--\r\n";
    let found = parts(&["/path", "/empty"], "--x", body).unwrap();
    assert_eq!(values(&found, 0), ["/Shared/a\r\n"]);
    assert_eq!(values(&found, 1), [""]);
    assert!(found.has_other());
}

#[test]
fn a_part_may_say_that_it_is_plain_text() {
    for more in [
        "",
        "\r\nContent-Type: text/plain",
        "\r\nContent-Type: text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: 8bit",
        "\r\nContent-Length: 1",
    ] {
        let found = with(&format!("{A}{more}"), "x").unwrap();
        assert_eq!(values(&found, 0), ["x"], "{more}");
    }
}

#[test]
fn unusual_fields_of_a_part_are_malformed() {
    for fields in [
        "",
        "Content-Type: text/plain",
        "Content-Disposition: form-data",
        "Content-Disposition: form-data; name=\"\"",
        "Content-Disposition: attachment; name=\"a\"",
        "Content-Disposition: form-data; name=\"a",
        "Content-Disposition: form-data; name=\"a\\\"\"",
        "Content-Disposition: form-data; name=\"%61\"",
        "Content-Disposition: form-data; name=\"a\"; name=\"b\"",
        "Content-Disposition: form-data; name=\"a\"; name*=utf-8''b",
        "Content-Disposition: form-data; name=\"x\"; filename*=utf-8''b",
        "Content-Disposition: form-data; name=\"x\"; filename=\"a\"; filename=\"b\"",
        "Content-Disposition: form-data; name=\"x\"; size=3",
        "Content-Disposition: form-data; name=\"a\" x",
        "Content-Disposition: form-data;\r\n name=\"a\"",
        "Content-Disposition : form-data; name=\"a\"",
        " Content-Disposition: form-data; name=\"a\"",
        "Content-Disposition: form-data; name=\"a\"\r\nX-Other: 1",
        "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"",
        "Content-Disposition: form-data; name=\"a\"\nContent-Type: text/plain",
        "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: text/plain; charset=utf-16",
        "Content-Disposition: form-data; name=\"a\"\r\nContent-Type: application/json",
        "Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64",
        "Content-Disposition: form-data; name=\"a\"; filename=\"a\"",
        "Content-Disposition: form-data; name=\"_charset_\"",
    ] {
        let found = with(fields, "x");
        assert_eq!(found, Err(BodyError::Malformed), "{fields}");
    }
}

#[test]
fn a_name_twice_or_in_another_spelling_is_ambiguous() {
    let z = "Content-Disposition: form-data; name=\"z\"";
    for fields in [z, &A.replace("\"a\"", "\"A\""), &A.replace("\"a\"", "\"_a-\"")] {
        let found = with(fields, "x");
        assert_eq!(found, Err(BodyError::Ambiguous), "{fields}");
    }
}

#[test]
fn a_boundary_elsewhere_than_at_the_beginning_of_a_line_is_ambiguous() {
    for data in ["--b", "x--b", "\n--b", "x\n--b\r\n", "\r--b", "\r\n---b", "--b--"] {
        let found = with(A, data);
        assert_eq!(found, Err(BodyError::Ambiguous), "{data:?}");
    }
}

#[test]
fn a_boundary_in_the_fields_of_a_part_is_ambiguous() {
    for fields in [
        format!("{A}\r\nContent-Type: text/plain; x=\"--b\""),
        "Content-Disposition: form-data; name=\"--b--\"".into(),
        "--b\r\nContent-Disposition: form-data; name=\"a\"".into(),
    ] {
        assert_eq!(with(&fields, "x"), Err(BodyError::Ambiguous), "{fields}");
    }
}

#[test]
fn nothing_surrounds_the_parts() {
    let body = format!("--b\r\n{A}\r\n\r\nx\r\n--b--");
    assert_eq!(values(&parts(&["/a"], "b", body.as_bytes()).unwrap(), 0), ["x"]);
    assert!(!parts(&["/a"], "b", b"--b--").unwrap().is_there(0));
    for wrong in [
        format!("\r\n{body}"),
        format!("preamble\r\n{body}"),
        format!("{body}\r\nepilogue"),
        format!("{body} "),
        format!("{body}\n"),
        format!("{body}\r\n\r\n"),
        body.replace("--b\r\nC", "--b \r\nC"),
        body.replace("--b\r\nC", "--bb\r\nC"),
        body.replace("--b\r\nC", "--b\nC"),
        body.replace("--b--", "--b-"),
        body.replace("--b--", "--b\r\n"),
        body.replace("\r\n--b--", ""),
    ] {
        let found = parts(&["/a"], "b", wrong.as_bytes());
        assert_eq!(found, Err(BodyError::Malformed), "{wrong:?}");
    }
}

#[test]
fn an_empty_body_has_no_parts() {
    assert!(!parts(&["/a"], "b", b"").unwrap().is_there(0));
}

#[test]
fn a_value_is_utf_8_and_bounded() {
    let body =
        |data: &[u8]| [format!("--b\r\n{A}\r\n\r\n").as_bytes(), data, b"\r\n--b--\r\n"].concat();
    assert_eq!(parts(&["/a"], "b", &body(b"\xff")), Err(BodyError::Malformed));
    assert!(parts(&["/c"], "b", &body(b"\xff")).is_ok());
    assert!(parts(&["/a"], "b", &body(&[b'x'; 65536])).is_ok());
    assert_eq!(parts(&["/a"], "b", &body(&[b'x'; 65537])), Err(BodyError::TooLarge));
    assert!(parts(&["/c"], "b", &body(&[b'x'; 65537])).is_ok());
    let long = format!("--b\r\n{A}\r\nContent-Type: {}", "x".repeat(5000));
    assert_eq!(parts(&["/a"], "b", long.as_bytes()), Err(BodyError::TooLarge));
}

proptest! {
    #[test]
    fn data_without_the_boundary_is_kept_unchanged(
        data in "[-b\r\na]{0,24}",
        boundary in "[-b]{1,4}",
    ) {
        let pattern = format!("--{boundary}");
        let body = format!("{pattern}\r\n{A}\r\n\r\n{data}\r\n{pattern}--\r\n");
        let found = parts(&["/a"], &boundary, body.as_bytes());
        // What overlaps with the end of the data is a boundary too.
        let lines = format!("{data}\r\n");
        if format!("{lines}{pattern}").find(&pattern) == Some(lines.len()) {
            let found = found.unwrap();
            prop_assert_eq!(values(&found, 0), [&*data]);
        } else {
            prop_assert!(found.is_err());
        }
    }
}
