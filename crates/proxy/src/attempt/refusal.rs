//! An upstream's answer other than 2xx: whose fault it is, and what the client should see of it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gateway_domain::AttemptOutcome;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout_at};

use super::Failure;
use super::content::{Collected, collect};
use crate::error::{ProxyError, UpstreamAnswer};
use crate::headers;
use crate::openai::{error_of, is_error_body};
use crate::scrub::scrub;
use crate::upstream::Lease;

/// The largest error body that is kept.
const MAX_ERROR_BODY: usize = 256 << 10;
/// The longest wait for an error's body: its status has said the most important.
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(5);
/// The longest `Retry-After` that is believed.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(2);

/// Reads the refusal and says what follows from it.
pub(super) async fn read(response: Response<Incoming>, lease: Lease, key: &str, limit: Instant) -> Failure {
    let (head, body) = response.into_parts();
    let status = head.status;
    let limit = limit.min(Instant::now() + ERROR_BODY_LIMIT);
    let body = match timeout_at(limit, collect(body, MAX_ERROR_BODY)).await {
        Ok(Ok(Collected::Whole(body))) => {
            lease.release();
            body
        }
        // Cut off, too large or too slow: the status is enough.
        Ok(Ok(Collected::Over(..)) | Err(_)) | Err(_) => Bytes::new(),
    };
    let retry_after = retry_after(&head.headers, SystemTime::now());
    let readable = !head.headers.contains_key(CONTENT_ENCODING) && is_error_body(&body);
    let body = readable.then(|| scrub(body, key));
    let verdict = judge(status, body.as_deref());
    let failure = Failure {
        error: match verdict.shown {
            Shown::AsItIs => ProxyError::Upstream(Box::new(UpstreamAnswer {
                status: client_status(status).as_u16(),
                headers: client_headers(head.headers, key),
                body,
                retry_after,
            })),
            Shown::Credentials => ProxyError::UpstreamCredentials,
            Shown::Redirect => ProxyError::Redirect,
            Shown::Protocol => ProxyError::Protocol,
        },
        ending: super::Ending {
            outcome: verdict.outcome,
            status: None,
            retry_after: None,
            why: format!("answered {status}"),
        },
        elsewhere: verdict.elsewhere,
    };
    failure.with_status(status).with_retry_after(retry_after)
}

/// What the client sees of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    AsItIs,
    Credentials,
    Redirect,
    Protocol,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Verdict {
    outcome: AttemptOutcome,
    shown: Shown,
    elsewhere: bool,
}

fn judge(status: StatusCode, body: Option<&[u8]>) -> Verdict {
    let verdict = |outcome, shown, elsewhere| Verdict { outcome, shown, elsewhere };
    match status.as_u16() {
        // The gateway's key, not the client's: a 401 would make the client doubt its own.
        401..=403 => verdict(AttemptOutcome::Credentials, Shown::Credentials, true),
        // OpenAI says "no money left" with 429, too. Waiting does not help there.
        429 if out_of_quota(body) => verdict(AttemptOutcome::Credentials, Shown::Credentials, true),
        429 => verdict(AttemptOutcome::RateLimited, Shown::AsItIs, true),
        408 => verdict(AttemptOutcome::Timeout, Shown::AsItIs, true),
        400..=499 => verdict(AttemptOutcome::CallerError, Shown::AsItIs, false),
        // "Not implemented" is about the endpoint, not about the channel's health.
        501 => verdict(AttemptOutcome::CallerError, Shown::AsItIs, true),
        500.. => verdict(AttemptOutcome::ServerError, Shown::AsItIs, true),
        300..=399 => verdict(AttemptOutcome::BadAnswer, Shown::Redirect, true),
        _ => verdict(AttemptOutcome::BadAnswer, Shown::Protocol, true),
    }
}

fn out_of_quota(body: Option<&[u8]>) -> bool {
    let says_so = |text: &str| matches!(text, "insufficient_quota" | "billing_hard_limit_reached");
    body.and_then(error_of).is_some_and(|error| {
        error.code.as_deref().is_some_and(says_so) || error.kind.as_deref().is_some_and(says_so)
    })
}

/// 500 is kept for the gateway's own failures, and 529 is a word of one vendor.
fn client_status(status: StatusCode) -> StatusCode {
    match status.as_u16() {
        ..=499 | 501 | 503 | 504 => status,
        529 => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_GATEWAY,
    }
}

fn client_headers(mut headers: HeaderMap, key: &str) -> HeaderMap {
    headers::for_client(&mut headers, key);
    for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, RETRY_AFTER] {
        headers.remove(name);
    }
    headers
}

/// How long the upstream asks to wait: `retry-after-ms`, else `retry-after` in seconds or as a date.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()).map(|ms| ms / 1000.0);
    let seconds = || text("retry-after").and_then(|text| text.parse::<f64>().ok());
    let date = || {
        let moment = httpdate::parse_http_date(text("retry-after")?).ok()?;
        Some(moment.duration_since(now).unwrap_or_default().as_secs_f64())
    };
    let wait = millis.or_else(seconds).or_else(date)?;
    let wait = Duration::try_from_secs_f64(wait).ok()?;
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn wait(pairs: &[(&'static str, &'static str)]) -> Option<Duration> {
        let map =
            pairs.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect();
        retry_after(&map, httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap())
    }

    #[test]
    fn retry_after_is_read_in_each_of_its_spellings_and_capped() {
        assert_eq!(wait(&[]), None);
        assert_eq!(wait(&[("retry-after", "2")]), Some(Duration::from_secs(2)));
        assert_eq!(wait(&[("retry-after", "0.5")]), Some(Duration::from_millis(500)));
        assert_eq!(
            wait(&[("retry-after", "9"), ("retry-after-ms", "250")]),
            Some(Duration::from_millis(250))
        );
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:49:40 GMT")]), Some(Duration::from_secs(3)));
        assert_eq!(wait(&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "9999")]), Some(MAX_RETRY_AFTER));
        for nonsense in ["soon", "-1", "NaN", "inf", ""] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense:?}");
        }
    }

    #[test]
    fn the_clients_own_errors_are_final_and_blame_nobody() {
        for status in [400, 404, 405, 409, 413, 415, 422, 451] {
            let verdict = judge(StatusCode::from_u16(status).unwrap(), None);
            assert_eq!(verdict.outcome, AttemptOutcome::CallerError, "{status}");
            assert!(!verdict.elsewhere, "{status}");
        }
    }

    #[test]
    fn a_refused_key_is_the_gateways_own_trouble() {
        for status in [401, 402, 403] {
            let verdict = judge(StatusCode::from_u16(status).unwrap(), None);
            assert_eq!((verdict.outcome, verdict.shown), (AttemptOutcome::Credentials, Shown::Credentials));
        }
        let quota = br#"{"error":{"message":"","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        let verdict = judge(StatusCode::TOO_MANY_REQUESTS, Some(quota));
        assert_eq!(verdict.outcome, AttemptOutcome::Credentials);
    }

    #[test]
    fn five_hundred_is_kept_for_the_gateways_own_failures() {
        let shown = |status| client_status(StatusCode::from_u16(status).unwrap()).as_u16();
        assert_eq!([500, 501, 502, 503, 504, 529, 599].map(shown), [502, 501, 502, 503, 504, 503, 502]);
        assert_eq!([400, 404, 422, 429].map(shown), [400, 404, 422, 429]);
    }
}
