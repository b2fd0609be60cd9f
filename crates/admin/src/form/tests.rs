use super::*;
use crate::schema::Field;

static SCHEMA: Schema = Schema {
    name: "Test",
    about: "Of everything something.",
    fields: &[
        Field::text("name", "…").required(),
        Field::text("key", "…").required().or_empty(),
        Field::integer("size", "…"),
        Field::flag("on", "…"),
        Field::texts("tags", "…").nullable(),
    ],
};

fn read(body: &str) -> Result<Form, String> {
    Form::read(body.as_bytes(), &SCHEMA).map_err(|error| error.to_string())
}

#[test]
fn a_body_that_fits_is_read() {
    let form = read(r#"{"name":"n","key":"","size":-5,"on":true,"tags":["a","b"]}"#).unwrap();
    assert_eq!((form.text("name"), form.text("key")), (Some("n"), Some("")));
    assert_eq!((form.integer("size"), form.flag("on")), (Some(-5), Some(true)));
    assert_eq!(form.texts("tags"), ["a", "b"]);
}

#[test]
fn everything_that_does_not_fit_is_said_at_once() {
    let problems = read(r#"{"name":"","size":1.5,"on":"yes","tags":["a",1],"what":null}"#).unwrap_err();
    let expected = [
        "on must be true or false",
        "size must be a whole number",
        "tags must be a list of texts or null",
        "what is not a field here; the fields are name, key, size, on, tags",
        "name is required",
        "key is required",
    ];
    assert_eq!(problems, expected.join("; "));
}

#[test]
fn null_is_not_given_but_can_be_told_from_it() {
    let form = read(r#"{"name":"n","key":"k","size":null,"tags":null}"#).unwrap();
    assert_eq!((form.integer("size"), form.has("size"), form.has("on")), (None, true, false));
    assert!(form.texts("tags").is_empty());
    assert_eq!(read(r#"{"name":null,"key":"k"}"#).unwrap_err(), "name is required");
}

#[test]
fn an_empty_body_is_an_empty_object() {
    assert_eq!(read(" \r\n").unwrap_err(), "name is required; key is required");
}

#[test]
fn numbers_beyond_all_ranges_are_objected_to() {
    for number in ["18446744073709551615", "9223372036854775807", "4294967296", "-1"] {
        let mut form = read(&format!(r#"{{"name":"n","key":"k","size":{number}}}"#)).unwrap();
        assert_eq!(form.in_range("size", 0..=i64::from(u32::MAX)), None, "{number}");
        assert_eq!(form.finish(Some(())).unwrap_err().to_string(), "size must be from 0 to 4294967295");
    }
}

#[test]
fn names_of_unknown_fields_are_cut() {
    let problems = read(&format!(r#"{{"name":"n","key":"k","{}":1}}"#, "x".repeat(1000))).unwrap_err();
    assert!(problems.len() < 150, "{problems}");
}
