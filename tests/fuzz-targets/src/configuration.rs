//! The configuration file.

use gateway_config::{Environment, Source, load_text, text_of_time, time_of_text};

/// Any text is settings, or problems that each say where and what to do.
pub(crate) fn any_text_is_settings_or_problems(text: &[u8]) {
    let Ok(text) = std::str::from_utf8(text) else { return };
    if let Ok(time) = time_of_text(text.trim()) {
        assert_eq!(time_of_text(&text_of_time(time)), Ok(time), "{text}");
    }
    // A folder that is not there: nothing on this machine decides.
    let source = Source { path: Some("/nowhere/gateway.toml".into()), directory: "/nowhere".into() };
    match load_text(text, &source, &Environment::new()) {
        Ok(loaded) => {
            assert_eq!(load_text(text, &source, &Environment::new()).ok(), Some(loaded), "read twice");
        }
        Err(problems) => {
            let lines = u32::try_from(text.lines().count() + 1).unwrap_or(u32::MAX);
            assert!(!problems.as_slice().is_empty());
            for problem in &problems {
                assert!(!problem.to_string().is_empty());
                assert!(problem.line.is_none_or(|line| (1..=lines).contains(&line)), "{problem}");
            }
        }
    }
}
