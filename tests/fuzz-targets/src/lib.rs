//! What is fuzzed: functions over any bytes that fail when something does not hold.
//!
//! `cargo xtask fuzz` drives them with coverage for a guide (`tests/fuzz`); `cargo test` feeds them the kept seeds. Each says
//! more than "it does not panic": it holds the product against a slower reader, or against itself read otherwise.
//!
//! **Must never know:** private items of the product, other than those that `gateway_proxy::fuzz` shows.
#![expect(clippy::indexing_slicing, reason = "a target speaks by panicking: that is how a finding is told")]

mod answers;
mod configuration;
mod cuts;
mod forms;
mod names;
mod requests;
mod servers;
mod sockets;
mod upstreams;

/// A name, and what is fed with bytes under it.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. Each has a folder of seeds under its name in `tests/fuzz/seeds`.
pub const TARGETS: [Target; 18] = [
    ("peek", requests::peek_agrees_with_another_parser),
    ("nested_model", requests::a_nested_model_stands_where_it_is_said_to),
    ("rename", requests::only_the_model_is_renamed),
    ("ask_for_usage", requests::usage_is_asked_for),
    ("strings", requests::a_walk_meets_the_strings_of_a_tree),
    ("multipart", forms::cut_anywhere_a_form_says_the_same),
    ("content_type", forms::a_boundary_is_one),
    ("sse", answers::cut_anywhere_a_stream_says_the_same),
    ("relay", answers::what_passes_is_what_came),
    ("answer_edits", answers::an_edited_answer_differs_in_what_is_edited),
    ("told", answers::what_an_answer_tells_can_be_read),
    ("usage_scan", answers::a_scan_finds_the_usage_of_a_parser),
    ("upstream_answer", upstreams::cut_anywhere_an_answer_is_the_same),
    ("server_requests", servers::cut_anywhere_a_conversation_is_the_same),
    ("frames", sockets::cut_anywhere_frames_are_the_same),
    ("paths", names::a_path_leads_to_one_row),
    ("queries", names::a_name_survives_being_written_and_read),
    ("configuration", configuration::any_text_is_settings_or_problems),
];

/// The target of this name.
pub fn target(name: &str) -> Option<fn(&[u8])> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}
