//! The normal forms of names, written a second time.

/// A name as its kind compares it: none for all; an error if the kind has no such name.
pub(super) fn normal(form: &str, name: &str) -> Result<Option<String>, ()> {
    if name.is_empty() || name.len() > 1024 || name.chars().any(char::is_control) {
        return Err(());
    }
    let all_but = |is_right: bool, name: String| if is_right { Ok(Some(name)) } else { Err(()) };
    match form {
        "plain" => Ok(Some(name.into())),
        "fold" => all_but(!hides_ascii(name), name.to_ascii_lowercase()),
        "number" => {
            // What a platform would count with.
            let number: Option<u64> = name.parse().ok();
            all_but(number.is_some_and(|number| number.to_string() == name), name.into())
        }
        "uuid" => {
            let digits: String = name.chars().filter(|it| *it != '-').collect();
            let is_hex = digits.len() == 32 && digits.bytes().all(|it| it.is_ascii_hexdigit());
            if !is_hex {
                return Err(());
            }
            let lower = digits.to_ascii_lowercase();
            let cuts = [0, 8, 12, 16, 20, 32];
            let parts: Vec<&str> = cuts.windows(2).map(|it| &lower[it[0]..it[1]]).collect();
            let whole = parts.join("-");
            let is_right = name.eq_ignore_ascii_case(&whole) || name.eq_ignore_ascii_case(&digits);
            all_but(is_right, whole)
        }
        "token" => {
            let is_right = |it: char| it.is_ascii_alphanumeric() || "._-".contains(it);
            let is_right = name.len() <= 249 && name.chars().all(is_right);
            all_but(is_right && name != "." && name != "..", name.into())
        }
        "dotted" | "slashed" => {
            let separator = if form == "dotted" { '.' } else { '/' };
            let is_right = !hides_ascii(name)
                && !name.split(separator).any(str::is_empty)
                && (form != "dotted" || !name.contains('`'));
            all_but(is_right, name.to_ascii_lowercase())
        }
        "path" => place(name, "/Workspace"),
        "file" => file(name),
        "url" => Ok(Some(clean(name)?)),
        other => panic!("there is no form {other}"),
    }
}

/// Whether a server that folds letters beyond ASCII makes one of ASCII of some.
fn hides_ascii(name: &str) -> bool {
    name.contains(['\u{212a}', '\u{17f}', '\u{130}'])
}

fn clean(name: &str) -> Result<String, ()> {
    let parts: Vec<&str> = name.strip_prefix('/').ok_or(())?.split('/').collect();
    let (last, others) = parts.split_last().expect("a part");
    let is_odd = |part: &&str| [".", ".."].contains(part) || part.contains('\\');
    if others.iter().any(|it| it.is_empty()) || parts.iter().any(is_odd) {
        return Err(());
    }
    let mut parts = others.to_vec();
    if !last.is_empty() {
        parts.push(last);
    }
    Ok(format!("/{}", parts.join("/")))
}

fn place(name: &str, root: &str) -> Result<Option<String>, ()> {
    if !name.starts_with('/') {
        let is_dots = |it: &str| it == "." || it == "..";
        return if name.split(['/', '\\']).any(is_dots) { Err(()) } else { Ok(None) };
    }
    let name = clean(name)?;
    let is_below = |name: &str| name == root || name.starts_with(&format!("{root}/"));
    if !is_below(&name) {
        return Ok(Some(name));
    }
    let rest = &name[root.len()..];
    let name = if rest.is_empty() { "/" } else { rest };
    if is_below(name) { Err(()) } else { Ok(Some(name.into())) }
}

fn file(name: &str) -> Result<Option<String>, ()> {
    let roots = name.matches("dbfs:").count() + name.matches("/dbfs").count();
    let bare = name.strip_prefix("dbfs:").unwrap_or(name);
    let is_twice = bare.starts_with("dbfs:") || bare == "/dbfs" || bare.starts_with("/dbfs/");
    if roots > 1 && is_twice && bare != name {
        return Err(());
    }
    let Some(name) = place(bare, "/dbfs")? else { return Ok(None) };
    let mut parts: Vec<String> = name.split('/').map(Into::into).collect();
    if parts[1].eq_ignore_ascii_case("workspace") {
        return Err(());
    }
    if parts[1].eq_ignore_ascii_case("volumes") {
        if parts[1] != "Volumes" {
            return Err(());
        }
        for part in parts.iter_mut().skip(2).take(3) {
            if hides_ascii(part) {
                return Err(());
            }
            *part = part.to_ascii_lowercase();
        }
    }
    Ok(Some(parts.join("/")))
}
