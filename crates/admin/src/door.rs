//! `/api/session`, `/api/login` and `/api/logout`: how the web pages are let in. The admin token is typed once and
//! becomes a cookie that no script can read and no other site can send.

use http::header::{ORIGIN, SET_COOKIE};
use http::request::Parts as Head;
use serde_json::json;

use crate::auth::{Gate, SESSION_COOKIE};
use crate::form::Form;
use crate::route::{Answer, Answered, Call};
use crate::schema::{Field, Schema};
use crate::{Caller, Parts, origin};

/// Who comes to the door, with the credentials that no other handler sees.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) head: &'a Head,
    pub(crate) caller: Caller,
}

/// `GET /api/session`.
pub(crate) static STANDING: Schema = Schema {
    name: "Standing",
    about: "What a web page must know before anybody has signed in.",
    fields: &[
        Field::word("auth", &["token", "none"], "Whether the API asks for the admin token.").required(),
        Field::flag(
            "signed_in",
            "Whether the API answers this browser: its cookie is good, or none is asked for.",
        )
        .required(),
        Field::text("version", "The gateway's version.").required(),
        Field::flag("data_plane", "Whether this listener answers /v1 too.").required(),
        Field::integer("public_port", "Where /v1 is otherwise; null: here.").required().nullable(),
    ],
};

/// `POST /api/login`.
pub(crate) static LOGIN: Schema = Schema {
    name: "Login",
    about: "The admin token, typed by a person.",
    fields: &[Field::text("token", "The admin token.").required()],
};

/// `GET /api/session`. Looks at the cookie alone: a token in a header would make this a place to try tokens at.
pub(crate) fn standing(parts: &Parts, call: &Call, visit: &Visit<'_>) -> Answered {
    let open = visit.gate.is_open();
    let data_plane = visit.caller.data_plane;
    Answer::json(&json!({
        "auth": if open { "none" } else { "token" },
        "signed_in": open || visit.gate.sign_ins().know(&visit.head.headers, call.now),
        "version": parts.version,
        "data_plane": data_plane,
        "public_port": (!data_plane).then_some(parts.public_port),
    }))
}

/// `POST /api/login`: a wrong token counts as a guess, as it does everywhere.
pub(crate) fn login(_parts: &Parts, call: &Call, visit: &Visit<'_>) -> Answered {
    let form = Form::read(&call.body, &LOGIN)?;
    let token = form.text("token").unwrap_or_default().trim();
    visit.gate.try_token(token.as_bytes(), visit.caller.peer, call.now)?;
    if visit.gate.is_open() {
        return Ok(Answer::nothing());
    }
    let value = visit.gate.sign_ins().begin(call.now)?;
    tracing::info!(peer = %visit.caller.peer, "signed in at the web pages");
    Ok(with_cookie(&value, if visit.is_encrypted() { "; Secure" } else { "" }))
}

/// `POST /api/logout`.
pub(crate) fn logout(_parts: &Parts, _call: &Call, visit: &Visit<'_>) -> Answered {
    origin::check_page(visit.head)?;
    visit.gate.sign_ins().end(&visit.head.headers);
    Ok(with_cookie("", "; Max-Age=0"))
}

fn with_cookie(value: &str, more: &str) -> Answer {
    let cookie = format!("{SESSION_COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/api{more}");
    Answer { headers: vec![(SET_COOKIE, cookie)], ..Answer::default() }
}

// === impl Visit ===

impl Visit<'_> {
    /// Whether the browser speaks TLS, with us or with a proxy before us. A page says in `Origin` how it was loaded, and
    /// it has been checked that the page is ours.
    fn is_encrypted(&self) -> bool {
        let origin = self.head.headers.get(ORIGIN);
        self.caller.tls || origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
    }
}
