//! `GET /`: says in words where everything is. Holds nothing that needs the token, and no script.

use http::HeaderName;
use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};

use crate::Parts;
use crate::error::ApiError;
use crate::route::{Answer, Answered, Call};

const PAGE: &str = include_str!("page.html");

/// `GET /`.
pub(crate) fn show(parts: &Parts, _call: &Call) -> Answered {
    let nonce = nonce()?;
    let policy = format!(
        "default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    );
    let headers: Vec<(HeaderName, String)> = vec![
        (CONTENT_SECURITY_POLICY, policy),
        (REFERRER_POLICY, "no-referrer".to_owned()),
        (X_FRAME_OPTIONS, "DENY".to_owned()),
    ];
    let page = PAGE.replace("{{nonce}}", &nonce).replace("{{version}}", parts.version);
    Ok(Answer { body: page.into(), headers, ..Answer::default() })
}

/// Lets the page's own style sheet through its policy, and no other.
fn nonce() -> Result<String, ApiError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| ApiError::Internal("the system gave no random numbers"))?;
    Ok(format!("{:032x}", u128::from_be_bytes(bytes)))
}
