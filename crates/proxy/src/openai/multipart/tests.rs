use proptest::prelude::*;

use super::*;

mod cuts;

const DELIMITER: &str = "--b0";

fn scan(body: &[u8]) -> Result<MultipartPeek, PeekError> {
    scan_in(body, |_| usize::MAX)
}

/// Feeds the body in pieces, each as long as `length` says for where it begins.
fn scan_in(body: &[u8], mut length: impl FnMut(usize) -> usize) -> Result<MultipartPeek, PeekError> {
    let mut scanner = MultipartScanner::new(b"b0").unwrap();
    let mut rest = body;
    while !rest.is_empty() {
        let cut = length(body.len() - rest.len()).clamp(1, rest.len());
        let (chunk, behind) = rest.split_at(cut);
        scanner.feed(chunk)?;
        rest = behind;
    }
    scanner.finish()
}

fn part(disposition: &str, value: &str) -> String {
    format!("{DELIMITER}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
}

fn form(parts: &[String]) -> String {
    format!("{}{DELIMITER}--\r\n", parts.concat())
}

fn model(value: &str) -> String {
    part("name=\"model\"", value)
}

fn file() -> String {
    let content = "RIFF\r\n--\n--b\r--b1\r\nname=\"model\"\r\n\r\nno model\r\n -- --b0";
    part("name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav", content)
}

/// What the refusal of these parts says, and the parameter it names.
fn refused(parts: &[String]) -> (String, Option<&'static str>) {
    let error = scan(form(parts).as_bytes()).unwrap_err();
    (error.message().to_owned(), error.param())
}

#[test]
fn a_value_that_is_replaced_has_the_right_length_wherever_the_part_gives_it() {
    for more in
        ["", "Content-Length: 9\r\n", "content-length:  9 \r\nx: y\r\n", "x: y\r\nCONTENT-LENGTH:9\r\n"]
    {
        let head = format!("{more}content-disposition: form-data; name=\"model\"\r\n\r\n");
        let form = format!("{DELIMITER}\r\n{head}whisper-1\r\n{DELIMITER}--\r\n");
        let (_, value) = scan(form.as_bytes()).unwrap().model.unwrap();
        let (span, instead) = value.replaced("whisper-large-v3");
        let (start, end) = (usize::try_from(span.start).unwrap(), usize::try_from(span.end).unwrap());
        let replaced = [&form.as_bytes()[..start], &instead, &form.as_bytes()[end..]].concat();
        let (name, _) = scan(&replaced).unwrap().model.unwrap();
        assert_eq!(name, "whisper-large-v3", "{more:?}");
    }
}

#[test]
fn the_model_is_found_before_and_behind_a_file() {
    for parts in [[model("whisper-1"), file()], [file(), model("whisper-1")]] {
        let form = form(&parts);
        let peek = scan(form.as_bytes()).unwrap();
        let (name, PartValue { span, .. }) = peek.model.unwrap();
        assert_eq!(name, "whisper-1");
        let span = usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap();
        assert_eq!(form.get(span), Some("whisper-1"));
        assert_eq!(peek.names.len(), 2);
    }
}

#[test]
fn the_other_values_that_matter_are_read() {
    let parts = [
        part("name=\"purpose\"", "batch"),
        part("name=user", "u\n1"),
        part("name=\"stream\"", "True"),
        part("name=\"prompt_cache_key\"", ""),
    ];
    let peek = scan(form(&parts).as_bytes()).unwrap();
    assert!(peek.stream && peek.model.is_none());
    assert_eq!(peek.purpose.as_deref(), Some("batch"));
    assert_eq!(peek.user.as_deref(), Some("u\n1"));
    assert_eq!(peek.prompt_cache_key.as_deref(), Some(""));
    assert_eq!(peek.names, ["purpose", "user", "stream", "prompt_cache_key"]);
    assert_eq!(peek.to_peek().require_model().unwrap_err().param(), Some("model"));
}

#[test]
fn the_objects_that_a_form_names_are_read() {
    let parts = [
        part("name=\"file_id\"", "file-1"),
        part("name=\"consent\"", ""),
        part("name=\"video[id]\"", "video_1"),
        part("name=\"video\"; filename=\"a.mp4\"", "no id"),
        part("name=\"input_reference[file_id]\"", "file-2"),
    ];
    assert_eq!(scan(form(&parts).as_bytes()).unwrap().ids, ["file-1", "video_1", "file-2"]);
}

#[test]
fn the_lines_of_a_batch_are_read_where_its_purpose_says_so_before_or_behind_the_file() {
    let line = |model: &str| format!("{{\"body\":{{\"model\":\"{model}\"}}}}");
    let content = format!("{}\r\n--b1\n{}", line("a"), line("b"));
    let file = part("name=\"file\"; filename=\"a.jsonl\"", &content);
    let purpose = |word| part("name=\"purpose\"", word);
    let models = |parts: &[String]| {
        let form = form(parts);
        let whole = scan_lines(form.as_bytes(), usize::MAX);
        assert_eq!(scan_lines(form.as_bytes(), 1), whole);
        whole.map(|found| found.models.into_iter().collect::<Vec<_>>())
    };
    let both = Some(vec!["a".to_owned(), "b".to_owned()]);
    assert_eq!(models(&[purpose("batch"), file.clone()]), both);
    assert_eq!(models(&[file.clone(), purpose("batch")]), both);
    assert_eq!(models(&[purpose("vision"), file.clone()]), None);
    let other = part("name=\"other\"", &line("c"));
    assert_eq!(models(&[purpose("batch"), other]), Some(vec![]));
    assert_eq!(scan(form(&[purpose("batch"), file]).as_bytes()).unwrap().batch, None, "nobody wants to know");
}

fn scan_lines(body: &[u8], piece: usize) -> Option<BatchModels> {
    let scanner = MultipartScanner::new(b"b0").unwrap();
    let mut scanner = scanner.reading_lines(Some(BatchLines::new(false)));
    body.chunks(piece.min(body.len())).for_each(|piece| scanner.feed(piece).unwrap());
    scanner.finish().unwrap().batch
}

#[test]
fn a_form_may_have_no_parts_a_line_end_before_it_and_some_behind() {
    for body in ["--b0--", "--b0--\r\n", "\r\n--b0--\r\n\r\n"] {
        assert_eq!(scan(body.as_bytes()), Ok(MultipartPeek::default()), "{body:?}");
    }
}

#[test]
fn what_is_read_may_be_there_once_and_as_text_only() {
    for name in READ {
        let bare = if name.contains('[') { format!("name=\"{name}\"") } else { format!("name={name}") };
        let twice = [part(&format!("name=\"{name}\""), "true"), part(&bare, "true")];
        let (message, param) = refused(&twice);
        assert!(message.contains("a second time") && message.contains("byte "), "{message}");
        assert_eq!(param, Some(name));

        for filename in ["filename=\"a\"", "FILENAME=a", "filename*=utf-8''a"] {
            let (message, param) = refused(&[part(&format!("name=\"{name}\"; {filename}"), "true")]);
            assert!(message.contains("is a file"), "{message}");
            assert_eq!(param, Some(name));
        }
    }
}

#[test]
fn models_that_are_none_are_refused_with_the_place() {
    for (value, why) in [
        (String::new(), "is empty"),
        ("ä".repeat(513), "is longer than 512 characters"),
        ("a".repeat(100_000), "is longer than 512 characters"),
        ("a\r\nb".to_owned(), "holds a control character"),
    ] {
        let (message, param) = refused(&[file(), model(&value)]);
        assert!(message.contains(why), "{message}");
        assert!(message.contains(&format!("byte {}", (file() + &model("")).len() - 2)), "{message}");
        assert_eq!(param, Some("model"));
    }
    assert!(scan(form(&[model(&"😀".repeat(512))]).as_bytes()).is_ok());
    let mut latin = form(&[model("aXb")]).into_bytes();
    let at = latin.iter().position(|b| *b == b'X').unwrap();
    latin[at] = 0xE4;
    assert!(scan(&latin).unwrap_err().message().contains("is not UTF-8"));
    let utf16 = part("name=\"model\"\r\nContent-Type: text/plain; charset=utf-16", "ab");
    assert!(refused(&[utf16]).0.contains("is not in UTF-8"));
    let utf8 = part("name=\"model\"\r\nContent-Type: text/plain; charset=\"UTF-8\"", "ab");
    assert!(scan(form(&[utf8]).as_bytes()).is_ok());
}

#[test]
fn a_stream_that_is_neither_true_nor_false_is_refused() {
    for value in ["", "1", "yes", "true ", "\"true\""] {
        assert_eq!(refused(&[part("name=\"stream\"", value)]).1, Some("stream"), "{value:?}");
    }
    assert!(!scan(form(&[part("name=\"stream\"", "false")]).as_bytes()).unwrap().stream);
}

#[test]
fn frames_that_could_be_read_two_ways_are_refused() {
    let good = model("m");
    for (body, why) in [
        (String::new(), "byte 0 without its closing boundary"),
        (good.clone(), "without its closing boundary"),
        (format!("{good}{DELIMITER}-"), "without its closing boundary"),
        (format!("a{good}{DELIMITER}--"), "does not begin with its boundary"),
        (format!("\n{good}{DELIMITER}--"), "does not begin with its boundary"),
        (format!("{good}{DELIMITER}-- "), "follows its closing boundary"),
        (format!("{good}{DELIMITER}--\r\n{good}"), "follows its closing boundary"),
        (format!("{good}{DELIMITER} \r\n"), "followed by something else"),
        (format!("{good}{DELIMITER}\n"), "followed by something else"),
        (format!("{good}{DELIMITER}1\r\n"), "followed by something else"),
        (form(&[part("name=a", "x\n--b0\ny")]), "does not stand behind"),
        (form(&[part("name=a", "x\r--b0--")]), "does not stand behind"),
        (
            format!("{DELIMITER}\r\nContent-Disposition: form-data; name=a\r\n\r\n{DELIMITER}--"),
            "does not stand",
        ),
        (
            format!("{DELIMITER}\r\nContent-Disposition: form-data; name=a\r\n{DELIMITER}--\r\n\r\n"),
            "ends before",
        ),
    ] {
        let error = scan(body.as_bytes()).unwrap_err();
        assert!(error.message().contains(why), "{body:?}: {error}");
        assert_eq!(error.code(), "invalid_multipart");
    }
}

#[test]
fn part_heads_that_could_be_read_two_ways_are_refused() {
    let with = |head: &str| format!("{DELIMITER}\r\n{head}\r\n\r\nx\r\n");
    let good = "Content-Disposition: form-data; name=\"model\"";
    for (head, why) in [
        ("", "has no content-disposition"),
        ("X-Other: 1", "has no content-disposition"),
        ("Content-Disposition: attachment; name=\"model\"", "other than form-data"),
        ("Content-Disposition: form-data", "has no name"),
        ("Content-Disposition: form-data; name=\"a\"; name=\"model\"", "same parameter twice"),
        ("Content-Disposition: form-data; name=\"a\"; NAME=model", "same parameter twice"),
        ("Content-Disposition: form-data; name*=utf-8''model", "encoded name"),
        ("Content-Disposition: form-data; name=\"mod\\el\"", "backslash"),
        ("Content-Disposition: form-data; name=\"model", "not closed"),
        ("Content-Disposition: form-data; name=\"model\"x", "needs quotes"),
        ("Content-Disposition: form-data; name=a b", "needs quotes"),
        ("Content-Disposition: form-data; =a", "no name=value"),
        ("Content-Disposition: form-data; name", "no name=value"),
        ("Content-Disposition: form-data; filename=\"a\\\"; name=\"b\"", "semicolon behind an escaped quote"),
        ("Content-Disposition : form-data; name=a", "whose name is none"),
        ("Content-Disposition: form-data;\r\n name=a", "without a colon"),
        ("Content-Disposition: form-data; name=a\nX: 1", "not CR LF"),
        ("Content-Disposition: form-data; name=a\rX: 1", "not CR LF"),
        ("Content-Disposition: form-data; name=\"a\0\"", "control character"),
        ("no header", "without a colon"),
    ] {
        let (message, _) = refused(&[with(head)]);
        assert!(message.contains(why) && message.contains("byte 6"), "{head:?}: {message}");
    }
    for (line, why) in [
        (good, "same header twice"),
        ("Content-Type: multipart/mixed; boundary=x", "holds parts of its own"),
        ("Content-Transfer-Encoding: base64", "content-transfer-encoding"),
        ("Content-Encoding: gzip", "content-encoding"),
        ("Content-Length: 0", "not as long as its content-length"),
        ("Content-Length: 200", "not as long as its content-length"),
        ("Content-Length: +1", "no number"),
        ("Content-Length: 99999999999999999999", "no number"),
        ("Content-Transfer-Encoding: quoted-printable", "content-transfer-encoding"),
    ] {
        let (message, _) = refused(&[with(&format!("{good}\r\n{line}"))]);
        assert!(message.contains(why), "{line:?}: {message}");
    }
    for line in ["Content-Transfer-Encoding: BINARY", "Content-Type: text/plain", "X: ä", "Content-Length: 1"]
    {
        assert!(scan(form(&[with(&format!("{good}\r\n{line}"))]).as_bytes()).is_ok(), "{line:?}");
    }
    for file in ["filename=\"C:\\dir\\a.wav\"", "filename=\"a\\\"b\"", "filename=\"\"", "filename=\"ä;b\";"]
    {
        let form = form(&[part(&format!("name=\"file\"; {file}"), "x")]);
        assert!(scan(form.as_bytes()).is_ok(), "{file:?}");
    }
}

#[test]
fn heads_and_parts_have_bounds() {
    let filler = |length: usize| {
        let head = "Content-Disposition: form-data; name=a\r\nX: ";
        format!("{DELIMITER}\r\n{head}{}\r\n\r\nx\r\n", "y".repeat(length - head.len() - 4))
    };
    assert!(scan(form(&[filler(MAX_PART_HEAD)]).as_bytes()).is_ok());
    assert!(refused(&[filler(MAX_PART_HEAD + 1)]).0.contains("headers over 16 KiB"));

    let parts = vec![part("name=a", ""); MAX_PARTS];
    assert_eq!(scan(form(&parts).as_bytes()).unwrap().names.len(), NAMES_KEPT.0);
    assert!(refused(&[parts.concat(), model("m")]).0.contains("more than 1000 parts"));
    let long = scan(form(&[part(&format!("name={}", "n".repeat(1_000)), "")]).as_bytes()).unwrap();
    assert_eq!(long.names[0].len(), NAMES_KEPT.1);
}

#[test]
fn a_refusal_is_repeated_and_not_forgotten() {
    let mut scanner = MultipartScanner::new(b"b0").unwrap();
    let error = scanner.feed(b"x").unwrap_err();
    assert_eq!(scanner.feed(b"--b0--").unwrap_err(), error);
    assert_eq!(scanner.finish().unwrap_err(), error);
}

#[test]
fn boundaries_are_read_from_the_content_type() {
    for (header, boundary) in [
        ("multipart/form-data; boundary=abc", "abc"),
        ("Multipart/Form-Data;charset=utf-8;BOUNDARY=\"a b/c:=?\"", "a b/c:=?"),
        (
            "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
            "----WebKitFormBoundary7MA4YWxkTrZu0gW",
        ),
    ] {
        assert!(is_multipart(header.as_bytes()));
        assert_eq!(boundary_of(header.as_bytes()), Ok(boundary.as_bytes()), "{header}");
    }
    let long = format!("multipart/form-data; boundary={}", "a".repeat(71));
    for header in [
        "multipart/form-data",
        "multipart/form-data; boundary",
        "multipart/form-data; boundary=",
        "multipart/form-data; boundary=\"\"",
        "multipart/form-data; boundary=a:b",
        "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data; boundary=\"a\\b\"",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary*=utf-8''a",
        "multipart/form-data; boundary=a, b",
        "multipart/mixed; boundary=a",
        &long,
    ] {
        let error = boundary_of(header.as_bytes()).unwrap_err();
        assert!(error.message().starts_with("Invalid content-type: it "), "{error}");
    }
    assert!(MultipartScanner::new(&[b'a'; 71]).is_err() && MultipartScanner::new(b"").is_err());
}
