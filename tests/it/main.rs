//! The whole gateway against scripted upstreams. One binary, so that there is one thing to link.
#![cfg(test)]

mod the_harness;
