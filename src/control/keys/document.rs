//! The key set of one issuer, from a file or from its server.

use std::sync::Arc;

use mesh_core::issuer::trust::Trust;
use mesh_core::key::jwks::{KeySet, SkippedKey, warnings};

use crate::document::{Document, Parsed, Rejected, Replaced, Version};
use crate::thread::message::Level;

/// The key set of an issuer.
#[derive(Clone, Debug)]
pub struct KeyDocument {
    /// The trust that holds it.
    pub trust: Arc<Trust>,
    /// The issuer's place there.
    pub issuer: usize,
}

impl Document for KeyDocument {
    type Contents = KeySet;

    fn name(&self) -> String {
        let name = self.trust.issuers().get(self.issuer).map_or("", |issuer| &issuer.name);
        format!("mesh_issuer \"{name}\"")
    }

    fn parse(&self, bytes: &[u8]) -> Result<Parsed<KeySet>, Rejected> {
        let issuer = self.trust.issuers().get(self.issuer);
        let issuer = issuer.ok_or_else(|| Rejected::because("it belongs to no issuer"))?;
        issuer.read_keys(bytes).map(parsed).map_err(Rejected::because)
    }

    fn put(&mut self, set: KeySet, version: &Version<'_>) -> Replaced {
        match version.confirmed {
            Some(at) => self.trust.replace_fetched(self.issuer, set, at),
            None => self.trust.replace(self.issuer, set),
        }
    }

    fn withdraw(&mut self) -> Replaced {
        self.trust.withdraw(self.issuer)
    }
}

/// A key set, with the messages about it and about the keys that are left out of it.
pub(super) fn parsed((contents, skipped): (KeySet, Vec<SkippedKey>)) -> Parsed<KeySet> {
    let is_weak = skipped.iter().any(|key| key.fault.is_weakness());
    Parsed {
        count: format!("{} keys", contents.count()),
        warnings: warnings(&skipped).collect(),
        level: if is_weak { Level::Warn } else { Level::Notice },
        contents,
    }
}

#[cfg(test)]
mod tests {
    use mesh_core::claims::Kept;
    use mesh_core::config::directive::{ISSUER, MAIN, read};
    use mesh_core::config::{Place, RawMain};
    use mesh_core::text::time::UnixTime;

    use super::super::stub::set;
    use super::*;

    /// The one issuer, whose keys come from there.
    fn trust(directive: &str, value: &str) -> Arc<Trust> {
        let (mut main, place) = (RawMain::default(), Place::default());
        read(MAIN, &mut main, "mesh_issuer", &["idp"], &place).unwrap();
        let open = main.open.as_mut().unwrap();
        let all = [("issuer", "https://idp.example"), ("audience", "api"), (directive, value)];
        for (name, word) in all {
            read(ISSUER, open, name, &[word], &place).unwrap();
        }
        main.close_issuer().unwrap();
        Arc::new(Trust::new(main.issuers, Kept::default(), vec![None]))
    }

    fn kids(trust: &Trust) -> Option<(bool, bool)> {
        let snapshot = trust.load();
        let set = snapshot.last_keys(0)?.set();
        Some((set.has("a"), set.has("b")))
    }

    #[test]
    fn set_of_a_file_is_in_force_until_another_is_or_none_is_known() {
        let trust = trust("jwks", "keys.json");
        let mut document = KeyDocument { trust: Arc::clone(&trust), issuer: 0 };
        let (adopted, _) = document.adopt(&Version::of_file(set(&["a"]).as_bytes())).unwrap();
        assert_eq!(adopted.summary, "1 keys of mesh_issuer \"idp\"");
        assert_eq!(adopted.level, Level::Notice);
        assert_eq!(kids(&trust), Some((true, false)));

        document.adopt(&Version::of_file(b"[")).unwrap_err();
        assert_eq!(kids(&trust), Some((true, false)));
        assert_eq!(trust.load().last_keys(0).unwrap().confirmed(), None);

        document.withdraw();
        assert_eq!(kids(&trust), None);
    }

    #[test]
    fn set_of_a_server_is_as_old_as_its_last_word() {
        let trust = trust("jwks", "https://idp.example/keys");
        let mut document = KeyDocument { trust: Arc::clone(&trust), issuer: 0 };
        let confirmed = UnixTime::from_secs(1_800_000_000);
        let bytes = set(&["b"]);
        let version = Version { bytes: bytes.as_bytes(), confirmed: Some(confirmed) };
        document.adopt(&version).unwrap();
        assert_eq!(kids(&trust), Some((false, true)));
        assert_eq!(trust.load().last_keys(0).unwrap().confirmed(), Some(confirmed));
    }

    #[test]
    fn what_is_odd_about_a_set_is_told() {
        let mut document = KeyDocument { trust: trust("jwks", "keys.json"), issuer: 0 };
        let bytes = set(&["a"]).replace("]}", ", {\"kty\": \"new\"}]}");
        let (adopted, _) = document.adopt(&Version::of_file(bytes.as_bytes())).unwrap();
        assert!(adopted.summary.starts_with("1 keys of mesh_issuer \"idp\", "), "{adopted:?}");

        document.issuer = 1;
        assert!(document.adopt(&Version::of_file(bytes.as_bytes())).is_err());
    }
}
