//! Whole runs of the simulator.

#![cfg(test)]

mod short;
