//! Which objects a request's body names.

use std::borrow::Cow;
use std::collections::HashSet;

use super::call::Named;
use super::walk::{Map, walk};

/// What a value in a request is, by the way that leads to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// The body itself.
    Body,
    /// An id, or a list of them.
    Id,
    /// An id, or an object that has it as its `id`.
    Reference,
    /// What may be the id of something that is not recorded.
    Part,
    /// The name of a model.
    Model,
    /// The list of tools, and a tool.
    Tools,
    Tool,
    /// An object with its `id` among other things: where data comes from, a voice, a video.
    Source,
    /// The client's own, whatever its members are called.
    Opaque,
    /// Anything else.
    Plain,
}

struct Request;

// === impl Request ===

impl Map<Role> for Request {
    fn member(&self, of: Role, key: &str) -> Role {
        match (of, key) {
            (Role::Opaque, _)
            | (
                _,
                "metadata" | "attributes" | "parameters" | "properties" | "schema" | "json_schema"
                | "input_schema" | "arguments" | "filters" | "variables" | "headers" | "item" | "sample",
            ) => Role::Opaque,
            (_, "file_id" | "file_ids" | "vector_store_id" | "vector_store_ids")
            | (Role::Reference | Role::Source, "id")
            | (
                Role::Body,
                "previous_response_id"
                | "input_file_id"
                | "training_file"
                | "validation_file"
                | "assistant_id"
                | "thread_id",
            ) => Role::Id,
            (Role::Body, "conversation") | (Role::Body | Role::Tool, "container") => Role::Reference,
            (_, "skill_id") => Role::Part,
            (Role::Body, "tools") => Role::Tools,
            (Role::Body, "model") => Role::Plain,
            (_, "model") => Role::Model,
            (_, "source" | "voice") | (Role::Body, "video") => Role::Source,
            _ => Role::Plain,
        }
    }

    fn element(&self, of: Role) -> Role {
        match of {
            Role::Id | Role::Opaque => of,
            Role::Tools => Role::Tool,
            Role::Body
            | Role::Reference
            | Role::Part
            | Role::Model
            | Role::Tool
            | Role::Source
            | Role::Plain => Role::Plain,
        }
    }
}

/// Adds the ids that a JSON body names, each once, in the order in which they stand, and the models that it names
/// within.
///
/// Ids that stand where they belong to the client (metadata, schemas, arguments of functions) are not among them, nor
/// is what only looks like an id.
pub(super) fn ids_in<'b>(body: &'b [u8], named: &mut Named<'b>) {
    let mut seen: HashSet<Cow<'b, str>> = HashSet::new();
    walk(body, Role::Body, &Request, |role, value| {
        let list = match role {
            Role::Id | Role::Reference => &mut named.ids,
            Role::Part => &mut named.parts,
            Role::Model => &mut named.models,
            Role::Body | Role::Tools | Role::Tool | Role::Source | Role::Opaque | Role::Plain => return,
        };
        if !value.is_empty() && seen.insert(value.clone()) {
            list.push(value);
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::openai::peek;

    fn named(body: &[u8]) -> Named<'_> {
        let mut named = Named::default();
        super::ids_in(body, &mut named);
        let is_told = peek(body).is_ok_and(|peek| peek.names_objects);
        assert!(
            is_told || named == Named::default(),
            "nobody would have looked into {}",
            body.escape_ascii()
        );
        named
    }

    fn ids_in(body: &[u8]) -> Vec<Cow<'_, str>> {
        named(body).ids
    }

    #[test]
    fn each_place_where_a_body_names_an_object_is_known() {
        let rows: &[(&str, &[&str])] = &[
            (r#"{"model":"m","previous_response_id":"resp_1"}"#, &["resp_1"]),
            (r#"{"conversation":"conv_1"}"#, &["conv_1"]),
            (r#"{"conversation":{"id":"conv_1"}}"#, &["conv_1"]),
            (r#"{"input_file_id":"file-1","endpoint":"/v1/responses"}"#, &["file-1"]),
            (r#"{"training_file":"file-1","validation_file":"file-2"}"#, &["file-1", "file-2"]),
            (r#"{"file_ids":["file-1","file-2","file-1"]}"#, &["file-1", "file-2"]),
            (r#"{"file_id":"file-1"}"#, &["file-1"]),
            (r#"{"files":[{"file_id":"file-1"},{"file_id":"file-2"}]}"#, &["file-1", "file-2"]),
            (r#"{"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]}"#, &["vs_1"]),
            (r#"{"tools":[{"type":"code_interpreter","container":"cntr_1"}]}"#, &["cntr_1"]),
            (r#"{"tools":[{"container":{"type":"auto","file_ids":["file-1"]}}]}"#, &["file-1"]),
            (r#"{"container":"cntr_1"}"#, &["cntr_1"]),
            (
                r#"{"tool_resources":{"file_search":{"vector_store_ids":["vs_1"]},"code_interpreter":{"file_ids":["f"]}}}"#,
                &["vs_1", "f"],
            ),
            (
                r#"{"tool_resources":{"file_search":{"vector_stores":[{"file_ids":["file-1"]}]}}}"#,
                &["file-1"],
            ),
            (r#"{"assistant_id":"asst_1","thread_id":"thread_1"}"#, &["asst_1", "thread_1"]),
            (r#"{"input":[{"content":[{"type":"input_file","file_id":"file-1"}]}]}"#, &["file-1"]),
            (r#"{"messages":[{"content":[{"type":"file","file":{"file_id":"file-1"}}]}]}"#, &["file-1"]),
            (r#"{"thread":{"messages":[{"attachments":[{"file_id":"file-1"}]}]}}"#, &["file-1"]),
            (r#"{"data_source":{"source":{"type":"file_id","id":"file-1"}}}"#, &["file-1"]),
            (r#"{"image":{"file_id":"file-1"}}"#, &["file-1"]),
            (r#"{"video":{"id":"video_1"},"prompt":"again"}"#, &["video_1"]),
            (r#"{"input_reference":{"file_id":"file-1"}}"#, &["file-1"]),
            (r#"{"voice":{"id":"voice_1"}}"#, &["voice_1"]),
            (r#"{"audio":{"voice":{"id":"voice_1"},"format":"mp3"}}"#, &["voice_1"]),
            (r#"{"session":{"audio":{"output":{"voice":{"id":"voice_1"}}}}}"#, &["voice_1"]),
        ];
        for (body, ids) in rows {
            assert_eq!(ids_in(body.as_bytes()), *ids, "{body}");
        }
    }

    #[test]
    fn what_is_the_clients_own_names_nothing() {
        let rows = [
            r#"{"metadata":{"file_id":"mine","conversation":"mine"}}"#,
            r#"{"tools":[{"type":"function","parameters":{"properties":{"file_id":{"enum":["a"]}}}}]}"#,
            r#"{"tools":[{"parameters":{"file_id":"default"}}]}"#,
            r#"{"prompt":{"id":"pmpt_1"}}"#,
            r#"{"input":[{"arguments":"{\"file_id\":\"a\"}"}]}"#,
            r#"{"input":"file_id","user":"conversation"}"#,
            r#"{"messages":[{"conversation":"deeper than the top","previous_response_id":"x"}]}"#,
            r#"{"attributes":{"file_id":"a"}}"#,
            r#"{"previous_response_id":null,"conversation":{"name":"x"},"file_ids":[],"file_id":""}"#,
        ];
        for body in rows {
            assert_eq!(ids_in(body.as_bytes()), Vec::<String>::new(), "{body}");
        }
    }

    #[test]
    fn models_are_found_wherever_they_are_asked() {
        let rows: &[(&str, &[&str])] = &[
            (r#"{"model":"m","moderation":{"model":"a"}}"#, &["a"]),
            (r#"{"testing_criteria":[{"type":"score_model","model":"a"},{"model":"b"}]}"#, &["a", "b"]),
            (r#"{"grader":{"graders":{"one":{"model":"a"}}}}"#, &["a"]),
            (r#"{"method":{"reinforcement":{"grader":{"model":"a"}}}}"#, &["a"]),
            (r#"{"tools":[{"type":"image_generation","model":"a"}]}"#, &["a"]),
            (r#"{"session":{"audio":{"input":{"transcription":{"model":"a"}}}}}"#, &["a"]),
            (r#"{"prompt":{"id":"pmpt_1","variables":{"model":"a phone"}}}"#, &[]),
            (
                r#"{"metadata":{"model":"mine"},"tools":[{"parameters":{"properties":{"model":{"model":"x"}}}}]}"#,
                &[],
            ),
            (r#"{"data_source":{"source":{"content":[{"item":{"model":"x"}}]}}}"#, &[]),
        ];
        for (body, models) in rows {
            assert_eq!(named(body.as_bytes()).models, *models, "{body}");
        }
    }

    #[test]
    fn skills_may_be_the_upstreams_own() {
        for body in [
            r#"{"tools":[{"environment":{"skills":[{"skill_id":"skill_1"}]}}]}"#,
            r#"{"skills":[{"skill_id":"skill_1"}]}"#,
        ] {
            let Named { ids, parts, .. } = named(body.as_bytes());
            assert_eq!((ids, parts), (vec![], vec![Cow::Borrowed("skill_1")]), "{body}");
        }
    }

    #[test]
    fn a_large_text_before_an_id_does_not_hide_it() {
        let body = format!(r#"{{"input":"{}","previous_response_id":"resp_1"}}"#, "A".repeat(20 << 20));
        assert_eq!(ids_in(body.as_bytes()), ["resp_1"]);
    }

    #[test]
    fn a_body_is_looked_into_only_where_a_member_may_name_something() {
        let told = |body: &str| peek(body.as_bytes()).unwrap().names_objects;
        let usual =
            r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a file_id"}]}]}"#;
        assert!(!told(usual));
        assert!(told(r#"{"model":"m","input":[{"content":[{"type":"input_file","file_id":"file-1"}]}]}"#));
        assert!(told(r#"{"model":"m","input":[{"f\u0069le_id":"file-1"}]}"#));
    }

    /// A word of those that lead to a name, and others that are near.
    fn word() -> impl Strategy<Value = String> {
        prop_oneof![
            prop::sample::select(vec![
                "file_id",
                "file_ids",
                "vector_store_id",
                "vector_store_ids",
                "previous_response_id",
                "input_file_id",
                "training_file",
                "validation_file",
                "assistant_id",
                "thread_id",
                "skill_id",
                "conversation",
                "container",
                "model",
                "source",
                "voice",
                "video",
                "tools",
                "metadata",
                "id",
                "x",
            ])
            .prop_map(str::to_owned),
            "[a-z_]{1,12}",
        ]
    }

    fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![Just(serde_json::Value::Null), "[a-z]{0,4}".prop_map(serde_json::Value::from)];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::vec((word(), inner), 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_is_named_where_nobody_looks(members in prop::collection::vec((word(), value()), 0..4)) {
            let body: serde_json::Value = members.into_iter().filter(|(name, _)| name != "metadata").collect();
            let body = body.to_string();
            if let Ok(peek) = peek(body.as_bytes()) && !peek.names_objects {
                prop_assert_eq!(named(body.as_bytes()), Named::default());
            }
        }
    }
}
