//! Rules that hold for every pool and every story, checked on random ones.

#[cfg(test)]
mod rules;
#[cfg(test)]
mod story;
