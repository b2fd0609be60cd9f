use super::*;

fn shown(error: &ApiError) -> (u16, Value) {
    let body: Value = serde_json::from_slice(&error.body()).unwrap();
    (error.status().as_u16(), body["error"].clone())
}

#[test]
fn every_error_of_the_database_has_its_status_and_code() {
    let text = || "x".to_owned();
    let conflict = StorageError::Conflict { what: "channel", field: "name", value: text() };
    let cases = [
        (StorageError::NotFound { what: "channel" }, 404, "not_found"),
        (conflict, 409, "conflict"),
        (StorageError::ManagedByFile { what: "channel", name: text() }, 409, "managed_by_file"),
        (StorageError::VersionMismatch { found: 3 }, 409, "version_mismatch"),
        (StorageError::UnknownChannel { model: text(), channel: text() }, 409, "conflict"),
        (StorageError::Busy, 503, "storage_busy"),
        (StorageError::Closed, 503, "stopping"),
        (StorageError::Full, 507, "storage_full"),
        (StorageError::Io { detail: text() }, 503, "storage_error"),
    ];
    for (error, status, code) in cases {
        let (found, body) = shown(&ApiError::Storage(error));
        assert_eq!((found, &body["code"]), (status, &json!(code)), "{body}");
        assert!(body["param"].is_null() || body["param"] == "name", "{body}");
    }
}

#[test]
fn paths_and_driver_texts_stay_inside() {
    let error = StorageError::Corrupt { detail: "/srv/secret.db: page 7".to_owned() };
    let (status, body) = shown(&ApiError::Storage(error));
    assert_eq!(status, 503);
    assert_eq!(body["message"], "the database failed; the gateway's log says why");
}

#[test]
fn a_busy_database_says_when_to_try_again() {
    let (name, value) = ApiError::Storage(StorageError::Busy).header().unwrap();
    assert_eq!((name, value.as_str()), (RETRY_AFTER, "1"));
}

#[test]
fn a_wrong_shape_outweighs_a_wrong_value() {
    let problem = |param: &str, fault| Problem { param: param.to_owned(), fault, message: "…".to_owned() };
    let error = ApiError::Invalid(vec![problem("a", Fault::Value), problem("b", Fault::Kind)]);
    let (status, body) = shown(&error);
    assert_eq!((status, &body["code"], &body["param"]), (400, &json!("invalid_type"), &json!("b")));
    assert_eq!(body["problems"].as_array().unwrap().len(), 2);
}

#[test]
fn the_envelope_is_that_of_the_openai_api() {
    let (status, body) = shown(&ApiError::Unauthorized);
    assert_eq!(status, 401);
    let names: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(names, ["code", "message", "param", "type"]);
    assert_eq!((&body["type"], &body["param"]), (&json!("authentication_error"), &Value::Null));
}
