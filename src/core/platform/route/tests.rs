use proptest::prelude::*;

use super::*;
use crate::platform::shipped::{SHIPPED, shipped};

struct Nothing;

impl Fields for Nothing {
    fn field(&self, _name: &str) -> Field<'_> {
        Field::Absent
    }
}

/// What a target is: the line, and each name; or the refusal.
fn read(platform: &Platform, asked: &Asked<'_>, target: Target<'_>) -> Result<String, String> {
    let route = Route::new(platform, asked, target).map_err(|refused| format!("{refused:?}"))?;
    let operation = route.name(None).map_err(|refused| format!("{refused:?}"))?;
    Ok(format!("{} {:?}", route.line(), operation.resources))
}

/// Paths of a platform with values in place of their parameters.
fn targets() -> impl Strategy<Value = (usize, String, Vec<String>, String)> {
    let value = "[a-z0-9._:-]{1,12}|7|[1-9][0-9]{0,20}|Volumes/[a-c]|-|a.b.c|[a-z]:[a-z]{1,6}|";
    let values = prop::collection::vec(value, 12);
    let query =
        "|(run_id=7&?|path=/a&?|scope=[a-z]&?|page=[0-9]&?|[a-z_]{1,5}=[a-zA-Z0-9]{0,5}&?){1,5}";
    (0..SHIPPED.len(), any::<prop::sample::Index>(), values, query).prop_map(
        |(word, row, values, query)| {
            let text = SHIPPED[word].text;
            let rows: Vec<&str> = text.lines().filter(|line| line.contains(" /")).collect();
            let path = rows[row.index(rows.len())].split(' ').nth(1).unwrap().to_owned();
            (word, path, values, query)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_plain_target_is_named_as_any_other((word, template, values, query) in targets()) {
        thread_local! {
            static PLATFORMS: Vec<Platform> = {
                SHIPPED.iter().map(|it| Platform::new(shipped(it.word).unwrap())).collect()
            };
        }
        let (template, _) = template.split_once('?').unwrap_or((&template, ""));
        let mut path = String::new();
        for (place, part) in template.split('{').enumerate() {
            let value = values.get(place).map_or("", |value| value);
            match part.split_once('}') {
                Some((_, rest)) => path.extend([value, rest]),
                None => path.push_str(part),
            }
        }
        PLATFORMS.with(|platforms| {
            let platform = &platforms[word];
            for method in ["GET", "POST", "PUT", "HEAD"] {
                let query = Some(query.as_bytes()).filter(|query| !query.is_empty());
                let (path, fields) = (path.as_bytes(), &Nothing);
                let asked = Asked { method, path, query, is_decoded: false, fields };
                let [plain, general] = [Target::parse, Target::general].map(|parse| {
                    let target = parse(path, query, false).map_err(|it| format!("{it:?}"))?;
                    read(platform, &asked, target)
                });
                prop_assert_eq!(plain, general);
            }
            Ok(())
        })?;
    }
}
