//! libFuzzer's door to [`mesh_fuzz::authorization_header`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mesh_fuzz::authorization_header(data);
});
