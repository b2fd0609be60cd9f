//! `gateway-server`: see `gateway-server --help`.

fn main() {}
