//! meshctl.
fn main() {}
