//! Valid JSON documents in every spelling that is allowed, and near misses.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use crate::Model;

/// A JSON object as text, with a `model` at its top level or without.
#[derive(Clone, Debug)]
pub struct Document {
    /// All of it.
    pub text: String,
    /// Its `model`, if it has one.
    pub model: Option<Model>,
}

/// Objects whose top level holds at most one `model` and none of the other members that are read.
pub fn document() -> impl Strategy<Value = Document> {
    drawn(prop::option::of(model_name()))
}

/// Objects that name one of these models, given as JSON strings and as what they mean.
pub fn document_about(models: impl Strategy<Value = (String, String)>) -> impl Strategy<Value = Document> {
    drawn(models.prop_map(Some))
}

fn drawn(models: impl Strategy<Value = Option<(String, String)>>) -> impl Strategy<Value = Document> {
    (vec((key(), value()), 0..6), models, any::<prop::sample::Index>(), model_key(), vec(space(), 32))
        .prop_map(|(members, model, at, key, spaces)| {
            let members = members.into_iter().map(|(key, raw)| Member { key, raw, model: None });
            let mut members: Vec<_> = members.collect();
            if let Some((raw, decoded)) = model {
                members.insert(at.index(members.len() + 1), Member { key, raw, model: Some(decoded) });
            }
            render(members, spaces)
        })
}

/// One member of the top level; `model` is the decoded name, when it is that one.
struct Member {
    key: String,
    raw: String,
    model: Option<String>,
}

fn render(members: Vec<Member>, spaces: Vec<String>) -> Document {
    let mut spaces = spaces.into_iter().cycle();
    let mut space = move || spaces.next().unwrap_or_default();
    let mut text = [space(), "{".to_owned(), space()].concat();
    let mut found = None;
    for (index, member) in members.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for piece in [space(), member.key, space(), ":".to_owned(), space()] {
            text.push_str(&piece);
        }
        let start = text.len();
        text.push_str(&member.raw);
        let end = text.len();
        text.push_str(&space());
        found = member.model.map(|value| Model { value, span: start..end }).or(found);
    }
    text.push('}');
    text.push_str(&space());
    Document { text, model: found }
}

/// Text that is nearly JSON: a document with one byte removed, added or changed.
pub fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![any::<u8>(), prop::sample::select(br#"{}[]":,\0-.eE+tn u"#.to_vec())];
    (document(), any::<prop::sample::Index>(), byte, 0..3_u8).prop_map(|(document, at, byte, how)| {
        let mut bytes = document.text.into_bytes();
        let at = at.index(bytes.len());
        match how {
            0 => drop(bytes.remove(at)),
            1 => bytes.insert(at, byte),
            _ => bytes.splice(at..=at, [byte]).for_each(drop),
        }
        bytes
    })
}

/// Arbitrary bytes, with a liking for those that mean something.
pub fn noise() -> impl Strategy<Value = Vec<u8>> {
    let word = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        ",",
        "\\",
        "\\u",
        "d800",
        "model",
        "\"model\"",
        "usage",
        "\"usage\"",
        "error",
        "\"error\"",
        "null",
        "true",
        "1e9",
        "-",
        "0",
        " ",
        "\n",
        "\r",
        "data:",
        "event:",
        "[DONE]",
        "\u{FEFF}",
        "é",
    ]);
    vec(prop_oneof![3 => word.prop_map(|w| w.as_bytes().to_vec()), 1 => vec(any::<u8>(), 0..4)], 0..40)
        .prop_map(|words| words.concat())
}

/// Any JSON as a tree.
pub fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    // Names as they mostly are, of any length, and any others.
    let name = prop_oneof![4 => "[a-z_]{0,80}", 1 => any::<String>()];
    leaf.prop_recursive(5, 60, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Into::into),
            vec((name.clone(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A model name as (JSON string, decoded).
pub fn model_name() -> impl Strategy<Value = (String, String)> {
    let piece = prop::sample::select(vec![
        ("gpt", "gpt"),
        ("-4o", "-4o"),
        ("/", "/"),
        ("\\/", "/"),
        ("\\u0061", "a"),
        ("\\\"", "\""),
        ("\\\\", "\\"),
        ("é", "é"),
        ("\\ud83e\\udd80", "🦀"),
        ("🦀", "🦀"),
        (" ", " "),
        ("{}", "{}"),
    ]);
    vec(piece, 1..8).prop_map(|pieces| {
        let (raw, decoded): (Vec<_>, Vec<_>) = pieces.into_iter().unzip();
        (format!("\"{}\"", raw.concat()), decoded.concat())
    })
}

fn model_key() -> impl Strategy<Value = String> {
    prop::sample::select(vec![r#""model""#, r#""mod\u0065l""#, r#""\u006d\u006F\u0064el""#])
        .prop_map(str::to_owned)
}

/// Keys, some of them close to the ones that are read.
fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            r#""messages""#,
            r#""Model""#,
            r#""model ""#,
            r#""""#,
            r#""\ud800""#,
            r#""temperature""#
        ])
        .prop_map(str::to_owned),
        string().prop_filter("not one that is read", |raw| !raw.contains("model") && !raw.contains("user")),
    ]
}

/// A value of any kind, and in any spelling.
pub fn value() -> impl Strategy<Value = String> {
    let scalar = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "0.70",
            "1e400",
            "1E+2",
            "-12.5e-3",
            "0.1000000000000000055511151231257827",
            "123456789012345678901234567890",
            "{}",
            "[]",
        ])
        .prop_map(str::to_owned),
        string(),
    ];
    let scalar = prop_oneof![12 => scalar, 1 => extreme()];
    scalar.prop_recursive(5, 40, 5, |inner| {
        let nested_key = prop_oneof![model_key(), Just("\"stream\"".to_owned()), string()];
        prop_oneof![
            (vec((space(), inner.clone(), space()), 0..5)).prop_map(|items| {
                let items: Vec<_> = items.into_iter().map(|(a, item, b)| format!("{a}{item}{b}")).collect();
                format!("[{}]", items.join(","))
            }),
            vec((space(), nested_key, space(), inner), 0..5).prop_map(|members| {
                let members: Vec<_> =
                    members.into_iter().map(|(a, k, b, v)| format!("{a}{k}{b}:{a}{v}{b}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// Values that are as large, or nest as deep, as few are.
fn extreme() -> impl Strategy<Value = String> {
    prop_oneof![
        (1_usize..600).prop_map(|digits| format!("-{}.{}e-{digits}", "9".repeat(digits), "0".repeat(digits))),
        // With what is around it, below the 128 levels that are allowed.
        (1_usize..110).prop_map(|depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth))),
        (1_usize..110).prop_map(|depth| format!("{}0{}", "{\"model\" :".repeat(depth), "}".repeat(depth))),
        (1_usize..2_000).prop_map(|length| format!("\"{}\"", "\\\\\\\"{".repeat(length / 4))),
    ]
}

fn string() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "a",
        "\\\"model\\\":\\\"x\\\"",
        "\\n",
        "\\u0000",
        "\\ud800",
        "\\ud83e\\udd80",
        "🦀",
        "é",
        "\\\\",
        "\\/",
        "}{][",
        ",",
        ":",
        "\u{7f}",
    ]);
    vec(piece, 0..6).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn space() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["", "", "", " ", "\n", "\t", "\r", "\r\n", "  \n "]).prop_map(str::to_owned)
}
