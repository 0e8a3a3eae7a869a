//! libFuzzer's door to [`mesh_fuzz::dpop_proof`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    mesh_fuzz::dpop_proof(data);
});
