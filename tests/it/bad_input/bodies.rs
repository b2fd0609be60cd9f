//! Every malformed shape of a body, one a row: what is said of it, whom it names, and where it says that it is wrong.

use gateway_tests::{Call, Gateway, NoAnswer, Raw, USER_KEY, Upstream, chat};
use http::Method;

/// A body that nobody upstream may see.
struct Row {
    what: &'static str,
    path: &'static str,
    content_type: &'static str,
    body: Vec<u8>,
    code: &'static str,
    param: Option<&'static str>,
    /// What the message says of the place.
    place: String,
}

fn json(what: &'static str, body: impl Into<Vec<u8>>, place: impl Into<String>) -> Row {
    Row {
        what,
        path: "/v1/chat/completions",
        content_type: "application/json",
        body: body.into(),
        code: "invalid_json",
        param: None,
        place: place.into(),
    }
}

fn form(what: &'static str, parts: &[&str], place: impl Into<String>) -> Row {
    Row {
        what,
        path: "/v1/audio/transcriptions",
        content_type: "multipart/form-data; boundary=b0",
        body: parts.concat().into_bytes(),
        code: "invalid_multipart",
        param: None,
        place: place.into(),
    }
}

impl Row {
    fn says(self, code: &'static str, param: &'static str) -> Self {
        Self { code, param: Some(param), ..self }
    }

    fn of(self, path: &'static str) -> Self {
        Self { path, ..self }
    }

    fn announced(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }
}

const MODEL: &str = "--b0\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nm\r\n";
const FILE: &str = "--b0\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\nRIFF\r\n";
const END: &str = "--b0--\r\n";

/// Not JSON at all, or not in UTF-8.
fn no_json() -> Vec<Row> {
    let utf16 = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        "{\"model\":\"m\"}".encode_utf16().flat_map(order).collect()
    };
    vec![
        json("nothing", "", "byte 0"),
        json("white space", " \t\r\n", "byte 0"),
        json("half an object", r#"{"model":"m","#, "byte 12"),
        json("half a string", r#"{"model":"m"#, "byte 10"),
        json("a trailing comma", r#"{"model":"m",}"#, "byte 13"),
        json("two documents", r#"{"model":"m"}{"model":"m"}"#, "byte 13"),
        json("trailing bytes", "{\"model\":\"m\"}\n x", "line 2, column 2 (byte 15)"),
        json("single quotes", "{'model':'m'}", "byte 1"),
        json("a bare key", r#"{model:"m"}"#, "byte 1"),
        json("a comment", r#"{"model":"m"/*x*/}"#, "byte 12"),
        json("NaN", r#"{"model":"m","x":NaN}"#, "byte 17"),
        json("a leading zero", r#"{"model":"m","x":01}"#, "byte 18"),
        json("a plus sign", r#"{"model":"m","x":+1}"#, "byte 17"),
        json("half a number", r#"{"model":"m","x":1.}"#, "byte 19"),
        json(
            "a raw line break in a string",
            "{\"model\":\"m\",\"x\":\"a\nb\"}",
            "line 1, column 20 (byte 19)",
        ),
        json("a raw NUL in a string", "{\"model\":\"m\",\"x\":\"a\0b\"}", "byte 19"),
        json("a NUL behind the end", "{\"model\":\"m\"}\0", "byte 13"),
        json("an unknown escape", r#"{"model":"m","x":"\q"}"#, "byte 19"),
        json("half an escape", r#"{"model":"m","x":"\u12"}"#, "line 1"),
        json("invalid UTF-8", b"{\"model\":\"m\",\"x\":\"\xff\xfe\"}", "byte 18"),
        json("a surrogate in UTF-8", b"{\"model\":\"m\",\"x\":\"\xed\xa0\x80\"}", "byte 18"),
        json("an overlong character", b"{\"model\":\"m\",\"x\":\"\xc0\xaf\"}", "byte 18"),
        json("a byte order mark", b"\xef\xbb\xbf{\"model\":\"m\"}", "byte 0"),
        json("UTF-16, little end first", utf16(u16::to_le_bytes), "byte 1"),
        json("UTF-16, big end first", utf16(u16::to_be_bytes), "byte 0"),
        json("the other kind of form", "model=m&messages=x", "byte 0"),
        json("an array at the top", r#"["model","m"]"#, "byte 0"),
        json("a string at the top", r#" "m""#, "byte 1"),
        json("a number at the top", "17", "byte 0"),
        json("a word at the top", "null", "byte 0"),
    ]
}

/// JSON that is large or deep, and wrong.
fn no_json_and_large() -> Vec<Row> {
    let (million, ten) = (1_000_000, 10 << 20);
    let at = |bytes: usize| format!("byte {bytes}");
    let within = |inner: String| format!(r#"{{"model":"m","x":{inner}"#);
    vec![
        json("nesting of 10,000", within("[".repeat(10_000) + &"]".repeat(10_000)) + "}", at(17 + 127)),
        json("nesting of 10,000 without an end", "{\"a\":".repeat(10_000), at(5 * 128)),
        json(
            "an array of a million and no end",
            within("[".to_owned() + &"0,".repeat(million)),
            at(2_000_017),
        ),
        json("a string of 10 MiB and no end", within("\"".to_owned() + &"x".repeat(ten)), at(ten + 17)),
        json(
            "a string of 10 MiB and a raw NUL",
            within(format!("\"{}\0\"}}", "x".repeat(ten))),
            at(ten + 18),
        ),
        json(
            "a number of a million digits and a letter",
            within("7".repeat(million) + "x}"),
            at(million + 17),
        ),
        json("a million members and no end", "{".to_owned() + &"\"x\":1,".repeat(million), at(6_000_000)),
        json("10 MiB of zeros", vec![0; ten], "byte 0"),
        json("10 MiB of quotes", "\"".repeat(ten), "byte 0"),
        json("10 MiB of backslashes", within("\"".to_owned() + &"\\".repeat(ten)), at(ten + 17)),
    ]
}

/// JSON that says what it must not.
fn no_meaning() -> Vec<Row> {
    let row = |what, body: &str, place: &str, code, param| json(what, body, place).says(code, param);
    let long = format!(r#"{{"model":"{}"}}"#, "m".repeat(1 << 20));
    let twice = "duplicate_parameter";
    let missing = "missing_required_parameter";
    vec![
        row("two models", r#"{"model":"m","model":"m"}"#, "byte 21", twice, "model"),
        row("two spellings of model", r#"{"model":"m","\u006dodel":"x"}"#, "byte 26", twice, "model"),
        row("two streams", r#"{"model":"m","stream":false,"stream":true}"#, "byte 37", twice, "stream"),
        row(
            "two wishes for usage",
            r#"{"model":"m","stream_options":{"include_usage":true,"include_usage":false}}"#,
            "byte 68",
            twice,
            "stream_options.include_usage",
        ),
        row(
            "two sessions",
            r#"{"model":"m","metadata":{"session":"a","session":"b"}}"#,
            "byte 49",
            twice,
            "metadata",
        ),
        row("no model", r#"{"messages":[]}"#, "top level", missing, "model"),
        row("a model of null", r#"{"model":null}"#, "top level", missing, "model"),
        row("a model in other letters", r#"{"Model":"m"}"#, "top level", missing, "model"),
        row("an empty model", r#"{"model":""}"#, "byte 9", "invalid_value", "model"),
        row("a number for a model", r#"{ "model":17}"#, "byte 10", "invalid_type", "model"),
        row("a list for a model", r#"{"model":["m"]}"#, "byte 9", "invalid_type", "model"),
        row("an object for a model", r#"{"model":{"name":"m"}}"#, "byte 9", "invalid_type", "model"),
        row("a word for a model", r#"{"model":true}"#, "byte 9", "invalid_type", "model"),
        row("a lone surrogate for a model", r#"{"model":"\ud800"}"#, "byte 9", "invalid_value", "model"),
        row("a line break in a model", r#"{"model":"a\r\nb"}"#, "byte 9", "invalid_value", "model"),
        row("a model of 1 MiB", &long, "byte 9", "invalid_value", "model"),
        row("a stream in quotes", r#"{"model":"m","stream":"true"}"#, "byte 22", "invalid_type", "stream"),
        row("a number for a stream", r#"{"model":"m","stream": 1}"#, "byte 23", "invalid_type", "stream"),
        row(
            "two models within the run of an evaluation",
            r#"{"data_source":{"model":"m","model":"m"}}"#,
            "byte 36",
            twice,
            "model",
        )
        .of("/v1/evals/eval_1/runs"),
    ]
}

/// Forms.
fn no_forms() -> Vec<Row> {
    let [model, file, end] = [MODEL, FILE, END];
    let other = |more: &str, value: &str| {
        format!("--b0\r\ncontent-disposition: form-data; {more}\r\n\r\n{value}\r\n")
    };
    let at = |bytes: usize| format!("byte {bytes}");
    let (m, f) = (model.len(), file.len());
    let large = other("name=\"model\"", &"m".repeat(1 << 20));
    vec![
        form("nothing", &[], "byte 0"),
        form("another boundary", &["--b1\r\n\r\n--b1--\r\n"], "byte 0"),
        form("a boundary that is not closed", &[model, file], at(m + f)),
        form("a boundary that is closed with something else", &[model, file, "--b0-x"], at(m + f + 5)),
        form("something behind the end", &[model, file, end, "x"], at(m + f + end.len())),
        form("something before the beginning", &["preamble\r\n", model, file, end], "byte 0"),
        form(
            "a boundary behind a bare line feed",
            &[model, file, "--b0\r\ncontent-disposition: form-data; name=x\r\n\r\n\n--b0--"],
            at(m + f + 49),
        ),
        form("JSON", &[r#"{"model":"m"}"#], "byte 0"),
        form("a part without a name", &[model, &other("filename=a", ""), end], at(m + 6)),
        form("a part with a head of 1 MiB", &[model, "--b0\r\nx: ", &"y".repeat(1 << 20)], at(m + 6)),
        form("more than 1,000 parts", &[&file.repeat(1_001), end], at(f * 1_000 + 6)),
        form("two models", &[model, file, model, end], at(m + f + 6)).says("duplicate_parameter", "model"),
        form("a model of 1 MiB", &[file, &large, end], at(f + m - 3)).says("invalid_value", "model"),
        form("an empty model", &[file, &other("name=\"model\"", ""), end], at(f + m - 3))
            .says("invalid_value", "model"),
        form("a model that is a file", &[&other("name=\"model\"; filename=\"m\"", "m"), end], at(6))
            .says("invalid_type", "model"),
        form("no model", &[file, end], "top level").says("missing_required_parameter", "model"),
        form("a stream of neither kind", &[model, &other("name=stream", "1"), file, end], at(m + 53))
            .says("invalid_type", "stream"),
        form("no file", &[model, end], at(m + end.len())).says("missing_required_parameter", "file"),
        form("no file to keep", &[&other("name=purpose", "batch"), end], "byte 69")
            .says("missing_required_parameter", "file")
            .of("/v1/files"),
        form("no picture", &[model, end], at(m + end.len()))
            .says("missing_required_parameter", "image")
            .of("/v1/images/edits"),
        form("no boundary", &[model, file, end], "content-type").announced("multipart/form-data"),
        form("an empty boundary", &[model, file, end], "content-type")
            .announced("multipart/form-data; boundary=\"\""),
        form("two boundaries", &[model, file, end], "content-type")
            .announced("multipart/form-data; boundary=b0; boundary=b1"),
    ]
}

#[tokio::test]
async fn every_malformed_shape_is_refused_with_its_param_and_place_and_reaches_nobody() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let rows = [no_json(), no_json_and_large(), no_meaning(), no_forms()];
    let mut wrong = Vec::new();
    for Row { what, path, content_type, body, code, param, place } in rows.into_iter().flatten() {
        let call = gw.call(Method::POST, path).header("content-type", content_type).body(body);
        let answer = call.send().await;
        answer.assert_error_shape();
        let error = answer.error().expect("an error");
        let behind = error.message.split(&*place).nth(1);
        // Not the beginning of a longer number.
        let has_place = behind.is_some_and(|behind| !behind.starts_with(|next: char| next.is_ascii_digit()));
        let said = (answer.status, &*answer.error_code(), error.param.as_deref()) == (400, code, param);
        if !has_place || !said {
            wrong.push(format!("{what}: {} {error:?}, not {code} {param:?} {place:?}", answer.status));
        }
        assert!(answer.body.len() < 2_000, "{what}: nothing large is thrown back");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn a_form_that_brings_something_in_place_of_a_file_is_left_to_the_upstream() {
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    let url = "--b0\r\ncontent-disposition: form-data; name=\"url\"\r\n\r\nhttps://x.example/a.wav\r\n";
    let as_text = "--b0\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nRIFF\r\n";
    let several = "--b0\r\ncontent-disposition: form-data; name=\"file[]\"\r\n\r\nRIFF\r\n";
    let other = "--b0\r\ncontent-disposition: form-data; name=\"sound\"; filename=\"a\"\r\n\r\nRIFF\r\n";
    for part in [FILE, url, as_text, several, other] {
        let Row { path, content_type, body, .. } = form("", &[MODEL, part, END], "");
        let call = gw.call(Method::POST, path).header("content-type", content_type).body(body.clone());
        assert_eq!(call.send().await.status, 200, "{part}");
        assert_eq!(up.requests().pop().map(|request| request.body), Some(body.into()));
    }
}

#[tokio::test]
async fn odd_but_valid_json_passes_unchanged() {
    let deep =
        |open: &str, close: &str, depth: usize| format!("{}0{}", open.repeat(depth), close.repeat(depth));
    let values = [
        r#""\ud83d\ude00 \u0000 \uffff \/""#.to_owned(),
        r#""\ud800""#.to_owned(),
        "[1e400,-1E-400,0e0,-0,1.0000000000000000000000000000001]".to_owned(),
        r#"{"a":1,"a":2,"":3,"":4,"model":"x","model":"y"}"#.to_owned(),
        "7".repeat(1_000_000),
        format!("[{}0]", "0,".repeat(1_000_000)),
        format!("\"{}\"", "x".repeat(10 << 20)),
        format!("\"{}\"", r"\\\u005c\n".repeat(1 << 18)),
        deep("[", "]", 127),
        deep("{\"model\" :\r\n\t", "}", 127),
        "\"\u{202e}\u{200b}\u{feff}e\u{301} [[[[ \u{7f}\"".to_owned(),
    ];
    let up = Upstream::scripted().always(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    for value in values {
        let body = format!(" \n{{\"x\":{value},\r\t\"\\u006dodel\" : \"\\u006d\",\"x\":null}}\r\n");
        let answer = gw.post("/v1/chat/completions", body.clone()).send().await;
        assert_eq!(answer.status, 200, "{value:.60}: {}", answer.body_text());
        assert!(up.requests().pop().is_some_and(|request| request.body == body), "{value:.60}");
    }
}

// --- bodies that are not as long as they say ---

const GOOD: &str = r#"{"model":"m","messages":[]}"#;

fn head(path: &str, content_type: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: gw\r\nauthorization: Bearer {USER_KEY}\r\ncontent-type: {content_type}\r\n\
         content-length: {length}\r\n\r\n"
    )
}

/// Nobody can tell a body that is shorter than it says from one that is late, until it is too late.
#[tokio::test]
async fn a_body_that_ends_before_its_length_is_408_with_the_place() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&up]).set("server.read_timeout", "100ms").start().await;
    let form = [MODEL, FILE, END].concat();
    let kinds = [
        ("/v1/chat/completions", "application/json", GOOD),
        ("/v1/audio/transcriptions", "multipart/form-data; boundary=b0", &*form),
    ];
    for (path, content_type, body) in kinds {
        for (part, closes) in [(body.len(), false), (body.len() / 2, true), (0, false)] {
            let mut socket = Raw::connect(gw.address()).await;
            socket.send(head(path, content_type, body.len() + 10) + &body[..part]).await;
            if closes {
                socket.half_close().await;
            }
            let answer = socket.answer().await.unwrap_or_else(|| panic!("no answer: {path}, {part}"));
            assert_eq!(
                (answer.status, answer.error_code().as_str()),
                (408, "request_timeout"),
                "{path}, {part}"
            );
            let says = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(says.contains(&format!("byte {part};")), "{says}");
            socket.closed_after().await;
        }
    }
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn chunks_that_are_broken_are_400_with_the_place() {
    let up = Upstream::scripted().start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    for broken in ["zz\r\n", "-1\r\n", "fffffffffffffffff\r\n"] {
        let mut socket = Raw::connect(gw.address()).await;
        let head = head("/v1/chat/completions", "application/json", 0);
        let head = head.replace("content-length: 0", "transfer-encoding: chunked");
        socket.send(format!("{head}{:x}\r\n{GOOD}\r\n", GOOD.len())).await;
        socket.send(broken).await;
        let answer = socket.answer().await.expect("an answer");
        assert_eq!((answer.status, answer.error_code().as_str()), (400, "invalid_body"), "{broken:?}");
        let says = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(says.contains(&format!("byte {}:", GOOD.len())), "{says}");
        socket.closed_after().await;
    }
    assert_eq!(up.connections(), 0);
}

#[tokio::test]
async fn a_body_that_goes_on_behind_its_length_is_read_as_far_as_that_and_the_rest_is_no_call() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    // What is left over is not JSON to the gateway, but the beginning of a request that is none.
    for (length, status) in [(GOOD.len(), 200), (GOOD.len() - 1, 400), (5, 400)] {
        let mut socket = Raw::connect(gw.address()).await;
        socket.send(head("/v1/chat/completions", "application/json", length) + GOOD + "\0\0\0\0").await;
        let answer = socket.answer().await.expect("an answer to what was announced");
        assert_eq!(answer.status, status, "{length}");
        if status == 400 {
            assert_eq!(answer.error_code(), "invalid_json");
            let says = String::from_utf8_lossy(&answer.body).into_owned();
            assert!(says.contains(&format!("byte {}", length - 1)), "{says}");
        }
        socket.until_closed().await;
    }
    assert_eq!(up.count(), 1);
}

#[tokio::test]
async fn over_http_2_a_length_that_is_not_true_is_no_call() {
    let up = Upstream::scripted().reply(chat("ok")).start().await;
    let gw = Gateway::serving("m", [&up]).start().await;
    for length in [0, 5, GOOD.len() - 1, GOOD.len() + 1, 1_000] {
        let call = Call::new(gw.address(), Method::POST, "/v1/chat/completions").key(USER_KEY);
        let call =
            call.header("content-type", "application/json").header("content-length", &length.to_string());
        // The stream is reset, as HTTP/2 has it; an answer that comes all the same is a refusal.
        match call.h2().body(GOOD).try_send().await {
            Ok(answer) => assert_eq!(answer.status, 400, "{length}: {}", answer.body_text()),
            Err(NoAnswer::Broken(_)) => {}
            Err(NoAnswer::Connect(error)) => panic!("{length}: {error}"),
        }
    }
    gw.post("/v1/chat/completions", GOOD).h2().send().await.assert_text("ok");
    assert_eq!(up.count(), 1);
}
