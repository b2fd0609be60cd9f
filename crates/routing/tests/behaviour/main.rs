//! What a pool does, seen from outside, one subject per file.

#[cfg(test)]
mod allocation;
#[cfg(test)]
mod blame;
#[cfg(test)]
mod breaker;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod edges;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod pools;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod silence;
#[cfg(test)]
mod threads;
#[cfg(test)]
mod told;
#[cfg(test)]
mod traffic;
#[cfg(test)]
mod traps;
