//! An upstream's answer other than 2xx: whose fault it is, and what the client should see of it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use gateway_domain::AttemptOutcome;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::content::{Collected, collect};
use super::retry_after::{retry_after, until_reset};
use super::{Failure, Repeat};
use crate::error::{ProxyError, UpstreamAnswer};
use crate::headers;
use crate::openai::{error_of, is_error_body};
use crate::scrub::scrub;
use crate::upstream::AnswerBody;

/// The largest error body that is kept.
const MAX_ERROR_BODY: usize = 256 << 10;
/// The longest wait for an error's body: its status has said the most important.
const ERROR_BODY_LIMIT: Duration = Duration::from_secs(5);

/// Reads the refusal and says what follows from it.
///
/// `mapped` says that the model's upstream name comes from the configuration, not from the client; `asks` that the call
/// was for a model.
pub(super) async fn read(
    response: Response<AnswerBody>,
    key: &str,
    limit: Instant,
    mapped: bool,
    asks: bool,
) -> Failure {
    let (head, body) = response.into_parts();
    let status = head.status;
    let limit = limit.min(Instant::now() + ERROR_BODY_LIMIT);
    let body = match timeout_at(limit, collect(body, MAX_ERROR_BODY)).await {
        Ok(Ok(Collected::Whole(body))) => body,
        // Cut off, too large or too slow: the status is enough.
        Ok(Ok(Collected::Over(..)) | Err(_)) | Err(_) => Bytes::new(),
    };
    let now = SystemTime::now();
    let limited =
        || (status == StatusCode::TOO_MANY_REQUESTS).then(|| until_reset(&head.headers, now)).flatten();
    let retry_after = retry_after(&head.headers, now).or_else(limited);
    let readable = !head.headers.contains_key(CONTENT_ENCODING) && is_error_body(&body);
    let body = readable.then(|| scrub(body, key));
    let verdict = judge(status, body.as_deref(), mapped).of_call(asks);
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
        repeat: verdict.repeat,
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
    repeat: Repeat,
}

// === impl Verdict ===

impl Verdict {
    /// A key may well be good for models and not for files, or for administration: what it is refused there does not
    /// take its channel out of rotation.
    fn of_call(mut self, asks: bool) -> Self {
        if !asks && self.outcome == AttemptOutcome::Credentials {
            self.outcome = AttemptOutcome::CallerError;
        }
        self
    }
}

fn judge(status: StatusCode, body: Option<&[u8]>, mapped: bool) -> Verdict {
    use Repeat::{Never, NotExecuted, PerhapsExecuted};
    let verdict = |outcome, shown, repeat| Verdict { outcome, shown, repeat };
    match status.as_u16() {
        402 => verdict(AttemptOutcome::Quota, Shown::Credentials, NotExecuted),
        // The gateway's key, not the client's: a 401 would make the client doubt its own.
        401 | 403 => verdict(AttemptOutcome::Credentials, Shown::Credentials, NotExecuted),
        // OpenAI says "no money left" with 429, too. Waiting does not help there.
        429 if out_of_quota(body) => verdict(AttemptOutcome::Quota, Shown::Credentials, NotExecuted),
        429 => verdict(AttemptOutcome::RateLimited, Shown::AsItIs, NotExecuted),
        408 => verdict(AttemptOutcome::Timeout, Shown::AsItIs, PerhapsExecuted),
        // A model that the configuration says is there, and is not. A name that comes from the client proves nothing
        // against the channel; another one may know it all the same.
        400 | 404 if no_such_model(body) => {
            let outcome = if mapped { AttemptOutcome::Unserved } else { AttemptOutcome::CallerError };
            verdict(outcome, Shown::AsItIs, NotExecuted)
        }
        400..=499 => verdict(AttemptOutcome::CallerError, Shown::AsItIs, Never),
        // "Not implemented" is about the endpoint, not about the channel's health.
        501 => verdict(AttemptOutcome::CallerError, Shown::AsItIs, NotExecuted),
        503 | 529 => verdict(AttemptOutcome::ServerError, Shown::AsItIs, NotExecuted),
        500.. => verdict(AttemptOutcome::ServerError, Shown::AsItIs, PerhapsExecuted),
        300..=399 => verdict(AttemptOutcome::BadAnswer, Shown::Redirect, NotExecuted),
        _ => verdict(AttemptOutcome::BadAnswer, Shown::Protocol, PerhapsExecuted),
    }
}

fn no_such_model(body: Option<&[u8]>) -> bool {
    body.and_then(error_of).is_some_and(|error| error.code.as_deref() == Some("model_not_found"))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, body: Option<&[u8]>, mapped: bool) -> Verdict {
        judge(StatusCode::from_u16(status).unwrap(), body, mapped)
    }

    #[test]
    fn the_clients_own_errors_are_final_and_blame_nobody() {
        for status in [400, 404, 405, 409, 413, 415, 422, 451] {
            let verdict = judged(status, None, true);
            assert_eq!(
                (verdict.outcome, verdict.repeat),
                (AttemptOutcome::CallerError, Repeat::Never),
                "{status}"
            );
        }
    }

    #[test]
    fn a_refused_key_is_the_gateways_own_trouble() {
        for status in [401, 403] {
            let verdict = judged(status, None, true);
            assert_eq!((verdict.outcome, verdict.shown), (AttemptOutcome::Credentials, Shown::Credentials));
        }
        let quota = br#"{"error":{"message":"","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        for verdict in [judged(402, None, true), judged(429, Some(quota), true)] {
            assert_eq!((verdict.outcome, verdict.shown), (AttemptOutcome::Quota, Shown::Credentials));
        }
    }

    #[test]
    fn a_key_that_is_refused_beside_models_does_not_take_its_channel_out() {
        let refused = |asks| judged(403, None, true).of_call(asks);
        assert_eq!(refused(true).outcome, AttemptOutcome::Credentials);
        assert_eq!(refused(false).outcome, AttemptOutcome::CallerError);
        assert_eq!(refused(false).shown, Shown::Credentials);
        assert_eq!(judged(429, None, true).of_call(false).outcome, AttemptOutcome::RateLimited);
    }

    #[test]
    fn a_missing_model_is_looked_for_elsewhere_and_held_against_the_mapping_only() {
        let body = br#"{"error":{"message":"","type":"invalid_request_error","code":"model_not_found"}}"#;
        for status in [400, 404] {
            let of_the_file = judged(status, Some(body), true);
            let of_the_client = judged(status, Some(body), false);
            assert_eq!(of_the_file.outcome, AttemptOutcome::Unserved);
            assert_eq!(of_the_client.outcome, AttemptOutcome::CallerError);
            assert_eq!([of_the_file.repeat, of_the_client.repeat], [Repeat::NotExecuted; 2]);
        }
    }

    #[test]
    fn what_was_not_executed_is_told_from_what_may_have_been() {
        for status in [429, 501, 503, 529, 302] {
            assert_eq!(judged(status, None, true).repeat, Repeat::NotExecuted, "{status}");
        }
        for status in [408, 500, 502, 504, 599] {
            assert_eq!(judged(status, None, true).repeat, Repeat::PerhapsExecuted, "{status}");
        }
    }

    #[test]
    fn five_hundred_is_kept_for_the_gateways_own_failures() {
        let shown = |status| client_status(StatusCode::from_u16(status).unwrap()).as_u16();
        assert_eq!([500, 501, 502, 503, 504, 529, 599].map(shown), [502, 501, 502, 503, 504, 503, 502]);
        assert_eq!([400, 404, 422, 429].map(shown), [400, 404, 422, 429]);
    }
}
