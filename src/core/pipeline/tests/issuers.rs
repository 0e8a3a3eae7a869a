//! The rules that issuers of one kind have beyond those of all.

use super::*;
use crate::config::directive::{ISSUER, MAIN, read};
use crate::config::{Place, RawMain};

mod audiences;
mod load_balancers;
mod roles;
mod spiffe;
mod tenants;

const TOKEN: Lines<'_> = &[("mesh_authenticate", &["token"])];
const TENANT: &str = "8c1b5a2e-0f3d-4b6a-9c7e-1d2f3a4b5c6d";
const OTHER: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

fn jwk_with(key: &Key, changes: &Value) -> Value {
    changed(&key.jwk, changes)
}

fn attribute(admission: &Admission, attribute: Attribute) -> Option<String> {
    admission.identity().unwrap().attribute(attribute).map(Into::into)
}

fn refused_block(lines: Lines<'_>, already: &[Lines<'_>]) -> String {
    let place = Place::default();
    let mut main = RawMain::default();
    for (at, lines) in already.iter().chain([&lines]).enumerate() {
        read(MAIN, &mut main, "mesh_issuer", &[&format!("i{at}")], &place).unwrap();
        let open = main.open.as_mut().unwrap();
        for (name, words) in *lines {
            if let Err(error) = read(ISSUER, open, name, words, &place) {
                return error.to_string();
            }
        }
        match main.close_issuer() {
            Ok(()) => {}
            Err(error) if at == already.len() => return error.to_string(),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("it is accepted")
}
