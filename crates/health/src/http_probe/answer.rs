use std::time::Duration;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use super::MAX_BODY;
use crate::ProbeReport;
use crate::clean::{clean, mask_bytes};

/// What a channel answered, before anything is concluded from it.
pub(super) struct Answer {
    status: StatusCode,
    body: Bytes,
}

// === impl Answer ===

impl Answer {
    /// Reads an answer, and of its body the first `max_body` bytes.
    pub(super) async fn read(response: Response<Incoming>, max_body: usize) -> Result<Self, hyper::Error> {
        let (head, mut body) = response.into_parts();
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            if let Some(data) = frame?.data_ref() {
                let room = max_body - read.len();
                read.extend_from_slice(data.get(..room).unwrap_or(data));
            }
            if read.len() == max_body {
                break;
            }
        }
        Ok(Self { status: head.status, body: read.into() })
    }

    /// What it says of the channel's health.
    pub(super) fn report(&self, key: &str, missing_is_well: bool, latency: Duration) -> ProbeReport {
        let ok = match self.status.as_u16() {
            200..=299 | 429 => true,
            404 | 405 => missing_is_well,
            _ => false,
        };
        let why = (!self.status.is_success()).then(|| self.why(key));
        let body = match mask_bytes(&self.body, key.as_bytes()) {
            Some(masked) => masked.into(),
            None => self.body.clone(),
        };
        let body = body.slice(..body.len().min(MAX_BODY));
        ProbeReport { ok, status: Some(self.status.as_u16()), latency, why, body: Some(body) }
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
        let report = self.report(key, false, latency);
        let why = report.why.unwrap_or_else(|| format!("answered {} without a model list", self.status));
        ProbeReport { ok: false, why: Some(why), ..report }
    }

    /// The status and, where the upstream gave a reason, its words. Only those are scrubbed of the key: a key such as
    /// `x` would else take letters out of ours.
    fn why(&self, key: &str) -> String {
        let status = self.status;
        if status.is_redirection() {
            return format!("answered {status}: redirects are not followed");
        }
        let said =
            error_message(&self.body).unwrap_or_else(|| String::from_utf8_lossy(&self.body).into_owned());
        let said = clean(&said, key);
        if said.is_empty() {
            format!("answered {status}")
        } else {
            clean(&format!("answered {status}: {said}"), "")
        }
    }
}

/// The message of an error answer in the shape of OpenAI, or of the servers that keep near to it.
fn error_message(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    let error = answer.get("error").or_else(|| answer.get("detail")).or_else(|| answer.get("message"))?;
    let message = error.get("message").unwrap_or(error);
    message.as_str().map(str::to_owned)
}
