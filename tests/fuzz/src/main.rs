//! One program for all targets: `GATEWAY_FUZZ_TARGET` names the one to drive.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("GATEWAY_FUZZ_TARGET").expect("GATEWAY_FUZZ_TARGET names a target");
    gateway_fuzz_targets::target(&name).expect("GATEWAY_FUZZ_TARGET names a target that there is")
});

fuzz_target!(|data: &[u8]| TARGET(data));
