//! What threads meet at: the standard library's, or shuttle's, which looks the same and switches threads at every
//! use, as a seed wants it. `cargo xtask threads` runs the tests in `schedules.rs` that way.
//!
//! Only what decides who may do what comes from here. Published numbers that stand for themselves (`atomic_f64.rs`,
//! `lateness.rs`) and reference counts stay the standard library's: switching there would find nothing and dilute
//! the search.

#[cfg(not(all(test, shuttle)))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};

#[cfg(all(test, shuttle))]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
};
