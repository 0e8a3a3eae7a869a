//! libFuzzer's door to [`mesh_fuzz::body`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mesh_fuzz::body(data);
});
