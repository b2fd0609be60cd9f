use std::time::Duration;

use bytes::Bytes;
use gateway_domain::AttemptOutcome;
use http::header::CONTENT_TYPE;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use super::MAX_BODY;
use super::question::Wants;
use super::stream::{Heard, Listener};
use crate::ProbeReport;
use crate::clean::{clean, mask_bytes};

/// What a channel answered, before anything is concluded from it.
pub(super) struct Answer {
    status: StatusCode,
    wants: Wants,
    body: Bytes,
    /// What decided, when it is a stream and something did.
    heard: Option<Heard>,
    is_stream: bool,
}

/// What follows from an answer.
struct Verdict {
    outcome: AttemptOutcome,
    /// What is to be said beside the status, in the upstream's words or in ours.
    said: Said,
}

enum Said {
    Nothing,
    /// Texts of the upstream, which must be scrubbed.
    Theirs,
    Ours(String),
}

// === impl Answer ===

impl Answer {
    /// Reads an answer, and of its body the first `max_body` bytes. Of a stream that was asked for, no more than what
    /// decides.
    pub(super) async fn read(
        response: Response<Incoming>,
        wants: Wants,
        max_body: usize,
    ) -> Result<Self, hyper::Error> {
        let (head, mut body) = response.into_parts();
        let is_stream = wants == Wants::Stream
            && head.status.is_success()
            && head
                .headers
                .get(CONTENT_TYPE)
                .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
        let mut listener = is_stream.then(Listener::default);
        let (mut read, mut decided) = (Vec::new(), None);
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                let room = max_body - read.len();
                let data = data.get(..room).unwrap_or(data);
                if let Some((said, length)) = listener.as_mut().and_then(|listener| listener.hear(data)) {
                    // What follows may end within a key.
                    read.extend_from_slice(data.get(..length).unwrap_or(data));
                    decided = Some(said);
                    break;
                }
                read.extend_from_slice(data);
            }
            if read.len() == max_body {
                break;
            }
        }
        Ok(Self { status: head.status, wants, body: read.into(), heard: decided, is_stream })
    }

    /// What it says of the channel's health.
    pub(super) fn report(&self, key: &str, latency: Duration) -> ProbeReport {
        let Verdict { outcome, said } = self.verdict();
        let proves_key = outcome == AttemptOutcome::Ok && self.status.is_success() && self.wants.proves_key();
        let why = match said {
            Said::Nothing => None,
            Said::Theirs => Some(self.why(key)),
            Said::Ours(said) => Some(format!("answered {}{said}", self.status)),
        };
        let body = match mask_bytes(&self.body, key.as_bytes()) {
            Some(masked) => masked.into(),
            None => self.body.clone(),
        };
        let body = Some(body.slice(..body.len().min(MAX_BODY)));
        let status = Some(self.status.as_u16());
        ProbeReport { asked: true, outcome, proves_key, status, latency, why, body }
    }

    /// The ids of `{"data":[{"id":…},…]}`, when it is such a list.
    pub(super) fn model_ids(&self) -> Option<Vec<String>> {
        if !self.status.is_success() {
            return None;
        }
        let list: Value = serde_json::from_slice(&self.body).ok()?;
        let models = list.get("data")?.as_array()?;
        Some(models.iter().filter_map(|model| model.get("id")?.as_str().map(str::to_owned)).collect())
    }

    /// The report on an answer in which a model list was looked for in vain.
    pub(super) fn no_model_list(&self, key: &str, latency: Duration) -> ProbeReport {
        let report = self.report(key, latency);
        let why = report.why.unwrap_or_else(|| format!("answered {} without a model list", self.status));
        let outcome =
            if report.outcome == AttemptOutcome::Ok { AttemptOutcome::BadAnswer } else { report.outcome };
        ProbeReport { outcome, why: Some(why), ..report }
    }

    fn verdict(&self) -> Verdict {
        use AttemptOutcome::{
            BadAnswer, CallerError, Credentials, Ok, Quota, RateLimited, ServerError, Timeout,
        };
        let outcome = match self.status.as_u16() {
            200..=299 => return self.verdict_on_content(),
            300..=399 => {
                return Verdict {
                    outcome: BadAnswer,
                    said: Said::Ours(": redirects are not followed".to_owned()),
                };
            }
            404 | 405 if self.wants == Wants::AnythingOrMissing => Ok,
            402 => Quota,
            403 | 429 if self.json().as_ref().and_then(class_of) == Some(Quota) => Quota,
            401 | 403 => Credentials,
            408 => Timeout,
            429 => RateLimited,
            400..=499 => CallerError,
            _ => ServerError,
        };
        Verdict { outcome, said: Said::Theirs }
    }

    /// On an answer whose status is good.
    fn verdict_on_content(&self) -> Verdict {
        if !self.wants.proves_key() {
            return Verdict { outcome: AttemptOutcome::Ok, said: Said::Nothing };
        }
        let bad =
            |said: &str| Verdict { outcome: AttemptOutcome::BadAnswer, said: Said::Ours(said.to_owned()) };
        match (&self.heard, self.is_stream) {
            (Some(Heard::Model), _) => return Verdict { outcome: AttemptOutcome::Ok, said: Said::Nothing },
            (Some(Heard::Error(error)), _) => return refused(error),
            (Some(Heard::Garbage), _) => return bad(" and a stream with an event that is no JSON"),
            (Some(Heard::Nothing), _) | (None, true) => return bad(" and a stream in which no model spoke"),
            (None, false) => {}
        }
        let Some(body) = self.json() else { return bad(" without a JSON answer") };
        if body.get("error").is_some_and(|error| !error.is_null()) {
            return refused(&body);
        }
        match self.wants.missing_in(&body) {
            Some(what) => bad(&format!(" without {what}")),
            None => Verdict { outcome: AttemptOutcome::Ok, said: Said::Nothing },
        }
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The status and, where the upstream gave a reason, its words. Only those are scrubbed of the key: a key such as
    /// `x` would else take letters out of ours.
    fn why(&self, key: &str) -> String {
        let status = self.status;
        let answer = match &self.heard {
            Some(Heard::Error(error)) => Some(error.clone()),
            Some(Heard::Model | Heard::Garbage | Heard::Nothing) | None => self.json(),
        };
        let said = answer.as_ref().and_then(error_message);
        let said = said.unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        let said = clean(&said, key);
        if said.is_empty() {
            format!("answered {status}")
        } else {
            clean(&format!("answered {status}: {said}"), "")
        }
    }
}

/// The verdict on an error that came with a good status.
fn refused(error: &Value) -> Verdict {
    Verdict { outcome: class_of(error).unwrap_or(AttemptOutcome::ServerError), said: Said::Theirs }
}

/// The class of an error object, by its code and its type and never by its text, which users may have written.
fn class_of(answer: &Value) -> Option<AttemptOutcome> {
    let error = answer.get("error")?;
    let words = ["code", "type"].map(|name| error.get(name).and_then(Value::as_str).unwrap_or_default());
    words.into_iter().find_map(|word| match word {
        "insufficient_quota" | "billing_hard_limit_reached" => Some(AttemptOutcome::Quota),
        "invalid_api_key" | "authentication_error" | "permission_error" => Some(AttemptOutcome::Credentials),
        "rate_limit_exceeded" | "rate_limit_error" => Some(AttemptOutcome::RateLimited),
        "model_not_found" | "invalid_request_error" | "not_found_error" => Some(AttemptOutcome::CallerError),
        _ => None,
    })
}

/// The message of an error answer in the shape of OpenAI, or of the servers that keep near to it.
fn error_message(answer: &Value) -> Option<String> {
    let error = answer.get("error").or_else(|| answer.get("detail")).or_else(|| answer.get("message"))?;
    let message = error.get("message").unwrap_or(error);
    message.as_str().map(str::to_owned)
}
