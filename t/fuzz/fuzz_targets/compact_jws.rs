//! libFuzzer's door to [`mesh_fuzz::compact_jws`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mesh_fuzz::compact_jws(data);
});
