//! Turns what nginx-sys found out about the Nginx at hand into cfgs, and sets the link flags of a
//! loadable module.

use std::env;

/// Versions at which the interface of Nginx changed, and the cfg that says "at least this".
const VERSIONS: &[(u64, &str)] = &[
    // Header lines are linked: `ngx_table_elt_t` has `next`.
    (1_023_000, "nginx1_23_0"),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    emit_features();
    emit_versions();

    // A thread of ours may still return through our code after `dlclose`.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
}

/// Sets `ngx_feature` to each feature that this Nginx was configured with.
fn emit_features() {
    println!("cargo::rerun-if-env-changed=DEP_NGINX_FEATURES");
    println!("cargo::rerun-if-env-changed=DEP_NGINX_FEATURES_CHECK");
    let known = env::var("DEP_NGINX_FEATURES_CHECK").unwrap_or_else(|_| "any()".to_owned());
    println!("cargo::rustc-check-cfg=cfg(ngx_feature, values({known}))");
    let features = env::var("DEP_NGINX_FEATURES").unwrap_or_default();
    for feature in features.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        println!("cargo::rustc-cfg=ngx_feature=\"{feature}\"");
    }
}

/// Sets the cfgs of `VERSIONS` that this Nginx has reached.
fn emit_versions() {
    println!("cargo::rerun-if-env-changed=DEP_NGINX_VERSION_NUMBER");
    let version = env::var("DEP_NGINX_VERSION_NUMBER").ok().and_then(|text| text.parse().ok());
    for (since, cfg) in VERSIONS {
        println!("cargo::rustc-check-cfg=cfg({cfg})");
        if version.is_some_and(|version: u64| version >= *since) {
            println!("cargo::rustc-cfg={cfg}");
        }
    }
}
