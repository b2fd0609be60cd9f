use bytes::Bytes;
use gateway_http1::Flaw;
use gateway_proxy::REQUEST_ID;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

/// When whoever came at a bad moment should try again, in seconds.
const SOON: &str = "1";

const TOO_MANY_CONNECTIONS: &str =
    "The gateway has as many connections as it may hold; try again in a moment, or use fewer of them.";

/// An error that the server itself answers, before any crate below was asked.
///
/// The wire shape is OpenAI's, because whoever asked may be an SDK that reads `error.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// What came is no request, or its head is too large.
    Head(Flaw),
    /// CONNECT and TRACE: the gateway is no tunnel and no echo.
    Method,
    /// A GET-only address was asked with another method.
    GetOnly,
    /// The request does not name one host, or names two; the text says which.
    Host(&'static str),
    /// `Expect:` something other than `100-continue`.
    Expect,
    /// No such path on this listener.
    NotFound,
    /// The body is larger than the path takes.
    TooLarge,
    /// The body did not come in time.
    BodyTimeout,
    /// The body broke off or was framed wrongly.
    BadBody,
    /// As many calls are under way as may be.
    Busy,
    /// The connection is one too many.
    Crowded,
    /// The handler panicked, or the runtime that should answer is gone.
    Internal,
}

// === impl Refusal ===

impl Refusal {
    const fn status(self) -> StatusCode {
        match self {
            Self::Method | Self::GetOnly => StatusCode::METHOD_NOT_ALLOWED,
            Self::Host(_) | Self::BadBody => StatusCode::BAD_REQUEST,
            Self::Head(flaw) => flaw.status(),
            Self::Expect => StatusCode::EXPECTATION_FAILED,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::Busy | Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn code(self) -> &'static str {
        match self {
            Self::Method | Self::GetOnly => "method_not_allowed",
            Self::Host(_) => "invalid_host",
            Self::Head(Flaw::Malformed(_)) => "malformed_request",
            Self::Head(Flaw::TargetTooLong) => "target_too_long",
            Self::Head(Flaw::TooLarge) => "headers_too_large",
            Self::Expect => "expectation_failed",
            Self::NotFound => "unknown_url",
            Self::TooLarge => "request_too_large",
            Self::BodyTimeout => "request_timeout",
            Self::BadBody => "invalid_body",
            Self::Busy => "too_many_requests_in_flight",
            Self::Crowded => "too_many_connections",
            Self::Internal => "internal_error",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Self::Method => "This method is not served here.",
            Self::GetOnly => "This address takes GET only.",
            Self::Host(why) => why,
            Self::Head(Flaw::Malformed(what)) => what.0,
            Self::Head(Flaw::TargetTooLong) => "The target of the request is too long.",
            Self::Head(Flaw::TooLarge) => "The head of the request has too many headers, or too many bytes.",
            Self::Expect => "The only expectation that can be met is 100-continue.",
            Self::NotFound => "There is nothing at this path.",
            Self::TooLarge => "The body is larger than this path takes.",
            Self::BodyTimeout => "The body did not arrive in time.",
            Self::BadBody => "The body broke off or was framed wrongly.",
            Self::Busy => "The gateway carries as many calls as it may; try again in a moment.",
            Self::Crowded => TOO_MANY_CONNECTIONS,
            Self::Internal => {
                "The gateway failed to answer this request; it was logged under the request id."
            }
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::Internal | Self::Busy | Self::Crowded => "server_error",
            Self::Method
            | Self::GetOnly
            | Self::NotFound
            | Self::Host(_)
            | Self::Head(_)
            | Self::Expect
            | Self::TooLarge
            | Self::BodyTimeout
            | Self::BadBody => "invalid_request_error",
        }
    }

    /// Whether the connection cannot be trusted to be in step after this: its request was malformed or is only
    /// partly read.
    const fn ends_connection(self) -> bool {
        match self {
            Self::Method
            | Self::Host(_)
            | Self::Head(_)
            | Self::Expect
            | Self::TooLarge
            | Self::BodyTimeout
            | Self::BadBody => true,
            Self::GetOnly | Self::NotFound | Self::Busy | Self::Crowded | Self::Internal => false,
        }
    }

    /// The answer. `http1` says whether `Connection: close` may be said (HTTP/2 forbids it).
    pub(crate) fn answer(self, request_id: &str, http1: bool) -> Response<Bytes> {
        let mut response =
            json(self.status(), &error_object(self.message(), self.kind(), self.code()), request_id);
        let headers = response.headers_mut();
        match self {
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, POST, PUT, PATCH, DELETE"));
            }
            Self::GetOnly => {
                headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            Self::Busy | Self::Crowded => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(SOON));
            }
            Self::Host(_)
            | Self::Head(_)
            | Self::Expect
            | Self::NotFound
            | Self::TooLarge
            | Self::BodyTimeout
            | Self::BadBody
            | Self::Internal => {}
        }
        if http1 && self.ends_connection() {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// `{"error":{…}}` as the OpenAI SDKs read it.
fn error_object(message: &str, kind: &str, code: &str) -> serde_json::Value {
    serde_json::json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}

/// A JSON answer that names its request and may not be cached.
pub(crate) fn json(status: StatusCode, value: &serde_json::Value, request_id: &str) -> Response<Bytes> {
    plain(status, "application/json", Bytes::from(value.to_string()), request_id)
}

/// An answer of any type that names its request and may not be cached.
pub(crate) fn plain(
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    request_id: &str,
) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, value);
    }
    response
}

/// A whole HTTP/1.1 answer for connections beyond the limit, written without waiting before they are closed.
pub(crate) fn too_many_connections() -> Vec<u8> {
    let refusal = Refusal::Crowded;
    let body = error_object(refusal.message(), refusal.kind(), refusal.code()).to_string();
    format!(
        "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n{}: {SOON}\r\nconnection: \
         close\r\ncontent-length: {}\r\n\r\n{body}",
        RETRY_AFTER.as_str(),
        body.len()
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_has_the_shape_the_sdks_read_and_names_its_request() {
        let answer = Refusal::Host("no host").answer("req_1", true);
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers()[REQUEST_ID], "req_1");
        assert_eq!(answer.headers()[CONNECTION], "close");
        let value: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"error": {
                "message": "no host", "type": "invalid_request_error", "param": null, "code": "invalid_host"
            }})
        );
    }

    #[test]
    fn http_2_is_never_told_connection_close() {
        assert!(!Refusal::Expect.answer("r", false).headers().contains_key(CONNECTION));
    }

    #[test]
    fn the_answer_beyond_the_limit_announces_its_own_length() {
        let text = String::from_utf8(too_many_connections()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
        assert!(serde_json::from_str::<serde_json::Value>(body).is_ok());
    }
}
