use super::*;
use crate::platform::Fields;
use crate::platform::shipped::{SHIPPED, shipped};
use crate::platform::table::METHODS;

struct Nothing;

impl Fields for Nothing {
    fn field(&self, _name: &str) -> Field<'_> {
        Field::Absent
    }
}

#[test]
fn a_row_that_is_alone_is_the_one_that_is_chosen() {
    for known in SHIPPED {
        let table = shipped(known.word).unwrap();
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
                        known.word
                    );
                }
            }
        }
    }
}
