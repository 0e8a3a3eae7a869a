use proptest::prelude::*;

use super::*;

fn values(
    query: Query<'_>,
    member: &Member,
    repeats: bool,
) -> Result<Vec<String>, Refused<'static>> {
    let mut values = Vec::new();
    query.values(member, repeats, |value| {
        values.push(value.into_owned());
        Ok(())
    })?;
    Ok(values)
}

proptest! {
    #[test]
    fn a_plain_query_names_what_any_other_does(
        query in "(&|=|run_?id=?|Run-Id=|run\u{131}d|r|_|name=|a=b=|[a-z0-9=&%+;#]{0,2}|[0-9]{1,9}){0,9}",
        name in prop::sample::select(vec!["run_id", "runid", "name", "_", "a=b", "r", "run\u{131}d"]),
        repeats in any::<bool>(),
    ) {
        let member = Member::new(name);
        if let Ok(Query::Plain(_)) = Query::parse(Some(query.as_bytes())) {
            let general = Query::other(query.as_bytes()).unwrap();
            let plain = Query::Plain(query.as_bytes());
            let members = |query: Query<'_>| -> Vec<_> {
                query.members().map(|it| it.map(|(a, b)| (a.into_owned(), b.into_owned()))).collect()
            };
            prop_assert_eq!(members(plain), members(general));
            prop_assert_eq!(values(plain, &member, repeats), values(general, &member, repeats));
        }
    }
}

#[test]
fn what_has_a_meaning_is_not_plain() {
    for query in ["a=%20", "a=+", "a;b", "a=\u{e9}"] {
        assert!(matches!(Query::parse(Some(query.as_bytes())), Ok(Query::Other(_))), "{query}");
    }
    for query in [&b"a#"[..], b"a=\xff"] {
        assert!(Query::parse(Some(query)).is_err());
    }
    assert!(matches!(Query::parse(None), Ok(Query::Plain(b""))));
}
