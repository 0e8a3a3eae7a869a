use std::sync::Arc;

use super::*;
use crate::platform::Fields;
use crate::platform::shipped::{SHIPPED, shipped};
use crate::platform::table::{METHODS, Table};

struct Nothing;

impl Fields for Nothing {
    fn field(&self, _name: &str) -> Field<'_> {
        Field::Absent
    }
}

/// A table whose HEAD has a row of its own in one dialect.
const HEADS: &str = "
platform test
dialect one two
kind item form=plain actions=read,probe
kind page form=path actions=read
GET /h/{x} get item:read path:x
HEAD /h/{x} head item:probe path:x | dialect=two
GET /h/{rest+} page page:read path:rest
GET /i/{x} get_of_one item:read path:x | dialect=one
HEAD /j/{x} head_alone item:probe path:x
GET /j/{x} get_beside item:read path:x
";

#[test]
fn a_head_is_a_get_where_the_dialect_of_its_own_row_is_off() {
    let mut platform = Platform::new(Arc::new(Table::parse(HEADS).unwrap()));
    let asked = |path: &'static str| {
        let path = path.as_bytes();
        Asked { method: "HEAD", path, query: None, is_decoded: false, fields: &Nothing }
    };
    let operation = |platform: &Platform, path| {
        let route = platform.route(&asked(path)).unwrap();
        platform.table().operation_name(route.operation()).to_owned()
    };
    assert_eq!(operation(&platform, "/h/a"), "head");
    assert!(platform.set_dialects(&["one"]));
    assert_eq!(operation(&platform, "/h/a"), "get");
    assert_eq!(operation(&platform, "/h/a/b"), "page");
    assert_eq!(operation(&platform, "/i/a"), "get_of_one");
    assert_eq!(operation(&platform, "/j/a"), "head_alone");
}

#[test]
fn a_row_that_is_alone_is_the_one_that_is_chosen() {
    let own = ("test", Arc::new(Table::parse(HEADS).unwrap()));
    let shipped = SHIPPED.iter().map(|known| (known.word, shipped(known.word).unwrap()));
    for (word, table) in shipped.chain([own]) {
        let mut narrow = Platform::new(table);
        let all = narrow.clone();
        let dialects: Vec<String> = narrow.table().dialects().map(Into::into).collect();
        let first: Vec<&str> = dialects.iter().map(|it| &**it).take(1).collect();
        assert!(narrow.set_dialects(&first));
        let mut paths: Vec<Vec<u16>> = Vec::new();
        for (place, row) in (0_u16..).zip(&all.table.rows) {
            let is_same = |other: &&mut Vec<u16>| {
                let other = &all.table.rows[usize::from(other[0])];
                other.template.parts == row.template.parts
            };
            match paths.iter_mut().find(is_same) {
                Some(rows) => rows.push(place),
                None => paths.push(vec![place]),
            }
        }
        for places in paths {
            let mut rows = Rows::default();
            places.iter().for_each(|place| rows.push(*place));
            rows.finish(&all.table.rows);
            for method in METHODS.into_iter().chain(["get", ""]) {
                let fields = &Nothing;
                let asked = Asked { method, path: b"/", query: None, is_decoded: false, fields };
                for platform in [&all, &narrow] {
                    let query = Query::parse(None).unwrap();
                    let line = |row: Result<Option<&Row>, _>| row.map(|row| row.map(|it| it.line));
                    assert_eq!(
                        line(choose(platform, &rows, &asked, query)),
                        line(among(platform, &rows, &asked, query)),
                        "{method} of {places:?} of {}",
                        word
                    );
                }
            }
        }
    }
}
