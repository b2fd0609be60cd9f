//! Campaigns: the whole gateway under loads and faults that are drawn by chance or last for a while.
//!
//! A binary of its own, because cargo runs one test binary after the other: tests that have an eye on time are not
//! disturbed by these loads. Within it one campaign runs at a time.
#![cfg(test)]

mod cancels;
mod cut_streams;
mod dying;
mod fidelity;
mod hedging;
mod lists;
mod retries;
mod sessions;
