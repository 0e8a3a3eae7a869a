//! libFuzzer's door to [`mesh_fuzz::directive_values`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mesh_fuzz::directive_values(data);
});
