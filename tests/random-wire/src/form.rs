//! Forms as writers of all kinds make them: one reading each, and everything in them that could be taken for something
//! else.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::Model;

/// Pieces of which values are made: what is nearly a line, a head or the delimiter `--b0`.
pub const CRUMBS: [&str; 16] = [
    "\r",
    "\n",
    "\r\n",
    "--",
    "--b0",
    "\r\n--b0",
    "\r\n--b",
    "\r\r\n--b1",
    "b0--",
    "model",
    "\r\n\r\n",
    "\0",
    "ä",
    "true",
    "Content-Disposition: form-data; name=\"model\"",
    "RIFFRIFFRIFFRIFF",
];

/// Boundaries, as they are written into a content type.
const BOUNDARIES: [(&str, &str); 7] = [
    ("b0", "b0"),
    ("b0", "\"b0\""),
    ("----WebKitFormBoundary7MA4YWxkTrZu0gW", "----WebKitFormBoundary7MA4YWxkTrZu0gW"),
    ("-", "-"),
    ("a b", "\"a b\""),
    ("'()+_,-./:=?", "\"'()+_,-./:=?\""),
    (
        "0123456789012345678901234567890123456789012345678901234567890123456789",
        "0123456789012345678901234567890123456789012345678901234567890123456789",
    ),
];

/// What stands behind `form-data` for a part that is none of those that are read.
const NAMES: [&str; 5] =
    ["; name=\"prompt\"", "; name=\"Model\"", ";name=models", "; name=\"a;b\"", "; NAME=\"\u{e4}\""];

/// The same for a file.
const FILES: [&str; 5] = [
    "; name=\"file\"; filename=\"a.wav\"",
    "; name=\"file[]\"; filename=\"C:\\dir\\a \\\"b\\\".wav\"",
    "; name=\"image\"; filename*=UTF-8''%e2%82%ac.png",
    "; filename=\"name=model; x.png\"; name=\"mask\"",
    "; NAME=\"\u{e4}\"; filename=\"\"",
];

/// Further headers of a part.
const HEADERS: [&str; 7] = [
    "Content-Type: application/octet-stream\r\n",
    "content-type:text/plain; charset=\"UTF-8\"\r\n",
    "CONTENT-TYPE: \r\n",
    "Content-Transfer-Encoding: BINARY\r\n",
    "X-Odd:\t\u{e4} ; name=\"model\"\r\n",
    "X-Empty:\r\n",
    "Content-ID: <1@x>\r\n",
];

/// A form that is well, and what it says.
#[derive(Clone, Debug)]
pub struct Form {
    /// The value of its `content-type` header.
    pub content_type: String,
    /// All of it.
    pub body: Vec<u8>,
    /// The part of this name, if there is one.
    pub model: Option<Model>,
}

/// What announces a form: its content type as far as the boundary, the boundary, and how that is written there.
type Frame = (&'static str, (&'static str, &'static str));

/// One part without its delimiter.
#[derive(Clone, Debug)]
struct Part {
    /// Up to the empty line, and with it.
    head: String,
    value: Vec<u8>,
    is_model: bool,
}

/// The headers of a part, its disposition left open.
#[derive(Clone, Debug)]
struct More {
    spelling: &'static str,
    lines: String,
    /// Whether the disposition stands first.
    first: bool,
}

// === impl More ===

impl More {
    /// The whole head, up to the empty line and with it.
    fn around(&self, disposition: &str) -> String {
        let disposition = format!("{}form-data{disposition}\r\n", self.spelling);
        let lines = if self.first { [&disposition, &*self.lines] } else { [&self.lines, &*disposition] };
        format!("{}\r\n", lines.concat())
    }
}

/// Forms with boundaries of all kinds, with a file, and with a model of any name or none.
pub fn form() -> impl Strategy<Value = Form> {
    drawn(frames(), option::weighted(0.9, names()))
}

/// Forms with boundaries of all kinds that all name one of these models.
pub fn form_about(names: impl Strategy<Value = String>) -> impl Strategy<Value = Form> {
    drawn(frames(), names.prop_map(Some))
}

/// Forms whose parts are parted by this boundary, which must need no quotes.
pub fn form_within(boundary: &'static str) -> impl Strategy<Value = Form> {
    drawn(Just(("multipart/form-data; boundary=", (boundary, boundary))), option::weighted(0.9, names()))
}

fn frames() -> impl Strategy<Value = Frame> {
    let kind = select(vec![
        "multipart/form-data; boundary=",
        "Multipart/Form-Data;charset=utf-8; BOUNDARY=",
        "multipart/form-data ;  boundary=",
    ]);
    (kind, select(&BOUNDARIES[..]))
}

fn drawn(
    frames: impl Strategy<Value = Frame>,
    models: impl Strategy<Value = Option<String>>,
) -> impl Strategy<Value = Form> {
    let model = (models, more(), any::<Index>());
    let before = select(vec!["", "", "\r\n"]);
    let behind = select(vec!["\r\n", "\r\n", "", "\r\n\r\n", "\n"]);
    let file = (part(&FILES), any::<Index>());
    (frames, vec(part(&NAMES), 0..4), file, model, before, behind).prop_map(
        |(frame, others, file, model, before, behind)| {
            let mut parts = others;
            parts.insert(file.1.index(parts.len() + 1), file.0);
            if let (Some(value), more, at) = model {
                let head = more.around("; name=\"model\"");
                let model = Part { head, value: value.into_bytes(), is_model: true };
                parts.insert(at.index(parts.len() + 1), model);
            }
            write(frame, before, parts, behind)
        },
    )
}

fn write((kind, (boundary, written)): Frame, before: &str, parts: Vec<Part>, behind: &str) -> Form {
    let delimiter = format!("--{boundary}");
    let mut body = before.as_bytes().to_vec();
    let mut model = None;
    for Part { head, value, is_model } in parts {
        let value = if clashes(&value, delimiter.as_bytes()) { b"clash".to_vec() } else { value };
        body.extend([delimiter.as_bytes(), b"\r\n", head.as_bytes()].concat());
        let start = body.len();
        body.extend(&value);
        if is_model {
            let value = String::from_utf8_lossy(&value).into_owned();
            model = Some(Model { value, span: start..body.len() });
        }
        body.extend(b"\r\n");
    }
    body.extend([delimiter.as_bytes(), b"--", behind.as_bytes()].concat());
    Form { content_type: format!("{kind}{written}"), body, model }
}

/// Whether a line of the value begins with the delimiter: no writer may do that.
fn clashes(value: &[u8], delimiter: &[u8]) -> bool {
    let begins_line = |at: usize| at == 0 || matches!(value.get(at - 1), Some(b'\r' | b'\n'));
    (0..value.len())
        .any(|at| begins_line(at) && value.get(at..).is_some_and(|rest| rest.starts_with(delimiter)))
}

/// One of the parts whose dispositions are these.
fn part(dispositions: &'static [&'static str]) -> impl Strategy<Value = Part> {
    (select(dispositions), more(), value()).prop_map(|(disposition, more, value)| {
        let head = more.around(disposition);
        Part { head, value, is_model: false }
    })
}

/// Headers of a part beside its disposition, none of them twice.
fn more() -> impl Strategy<Value = More> {
    let spelling = select(vec!["Content-Disposition: ", "content-disposition:", "CONTENT-DISPOSITION:\t "]);
    (spelling, vec(select(&HEADERS[..]), 0..3), any::<bool>()).prop_map(|(spelling, mut lines, first)| {
        let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
        lines.sort_by_key(|line| name(line));
        lines.dedup_by_key(|line| name(line));
        More { spelling, lines: lines.concat(), first }
    })
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let crumb = prop_oneof![
        6 => select(&CRUMBS[..]).prop_map(|crumb| crumb.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    vec(crumb, 0..12).prop_map(|crumbs| crumbs.concat())
}

/// The name of a model: text without control characters.
fn names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9/._:-]{1,40}",
        "[^\\p{Cc}]{1,12}",
        Just("--b0".to_owned()),
        Just(" \"m\" ".to_owned())
    ]
}
