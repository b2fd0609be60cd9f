//! How many cases a property is tried with, and where chance comes from.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// `ordinary` cases, or as many as `PROPTEST_CASES` says.
pub fn cases(ordinary: u32) -> Config {
    let told = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    Config { cases: told.unwrap_or(ordinary), failure_persistence: None, ..Config::default() }
}

/// Tries a property on this many draws of `seed`; the error shows the smallest that fails.
pub fn holds<S: Strategy>(
    config: Config,
    seed: u64,
    cases: &S,
    property: impl Fn(S::Value) -> TestCaseResult,
) -> Result<(), String> {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(seed.to_le_bytes()).for_each(|(byte, of)| *byte = of);
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    runner.run(cases, property).map_err(|why| why.to_string())
}
