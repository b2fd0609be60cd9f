//! Every error the data plane can give, as the OpenAI SDKs understand it: one exhaustive match.

use std::time::Duration;

use bytes::Bytes;
use gateway_domain::ExchangeOutcome;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::body::Body;
use crate::error::ProxyError;
use crate::openai::{ErrorBody, StreamDialect, error_of};
use crate::websocket::HandshakeError;

/// The finer twin of `Retry-After` that OpenAI's SDKs read first.
const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");
/// Tells OpenAI's SDKs not to try again by themselves.
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// How one error looks from outside.
struct Look {
    status: StatusCode,
    kind: &'static str,
    param: Option<&'static str>,
    code: &'static str,
}

/// The types of errors that many have.
const INVALID: &str = "invalid_request_error";
const UPSTREAM: &str = "upstream_error";

const fn look(
    status: StatusCode,
    kind: &'static str,
    param: Option<&'static str>,
    code: &'static str,
) -> Look {
    Look { status, kind, param, code }
}

/// The answer that an error becomes.
///
/// After several `attempts` a client that tries again by itself only multiplies them, unless it is told to wait.
pub(crate) fn respond(error: &ProxyError, attempts: usize) -> Response<Body> {
    let look = error.look();
    let kept = if let ProxyError::Upstream(answer) = error { answer.body.clone() } else { None };
    let body = kept.unwrap_or_else(|| {
        let message = &error.to_string();
        ErrorBody { message, kind: look.kind, param: look.param, code: Some(look.code) }.to_json()
    });
    let mut response = Response::new(Body::full(body));
    *response.status_mut() = look.status;
    let headers = response.headers_mut();
    if let ProxyError::Upstream(answer) = error {
        headers.clone_from(&answer.headers);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(wait) = error.retry_after() {
        headers.insert(RETRY_AFTER, seconds(wait));
        headers
            .insert(RETRY_AFTER_MS, HeaderValue::from(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
    }
    if let ProxyError::WrongMethod { allow, .. } = error {
        headers.insert(ALLOW, HeaderValue::from_static(allow));
    }
    if let ProxyError::Handshake(_) = error {
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    }
    if look.status == StatusCode::UPGRADE_REQUIRED {
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if error.leaves_body_unread() {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    if !error.worth_retrying() || (attempts > 1 && error.retry_after().is_none()) {
        headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
    }
    response
}

/// The error as the last event of a stream whose status line has gone out already.
pub(crate) fn error_event(error: &ProxyError, dialect: StreamDialect) -> Bytes {
    let look = error.look();
    let kept = if let ProxyError::Upstream(answer) = error { answer.body.as_deref() } else { None };
    // The upstream's own words say more than its status.
    let said = kept.and_then(error_of).unwrap_or_default();
    let message = said.message.unwrap_or_else(|| error.to_string().into());
    ErrorBody {
        message: &message,
        kind: said.kind.as_deref().unwrap_or(look.kind),
        param: look.param,
        code: said.code.as_deref().or(Some(look.code)),
    }
    .to_event(dialect, 0)
}

fn seconds(wait: Duration) -> HeaderValue {
    let whole = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    HeaderValue::from(whole.max(1))
}

fn handshake_look(error: HandshakeError) -> Look {
    match error {
        HandshakeError::NotAsked | HandshakeError::Http | HandshakeError::Version => {
            look(StatusCode::UPGRADE_REQUIRED, INVALID, None, "websocket_required")
        }
        HandshakeError::Connection | HandshakeError::Key | HandshakeError::Body => {
            look(StatusCode::BAD_REQUEST, INVALID, None, "invalid_websocket_handshake")
        }
    }
}

/// For an upstream's answer that is no error in OpenAI's shape.
fn upstream_look(status: u16) -> Look {
    match StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY) {
        status @ StatusCode::TOO_MANY_REQUESTS => {
            look(status, "rate_limit_error", None, "rate_limit_exceeded")
        }
        status if status.is_client_error() => look(status, INVALID, None, "upstream_refused"),
        status => look(status, UPSTREAM, None, "upstream_error"),
    }
}

// === impl ProxyError ===

impl ProxyError {
    /// Status, type, param and code. Adding a variant does not compile until someone has chosen its row.
    fn look(&self) -> Look {
        match self {
            Self::UnknownPath { .. } => look(StatusCode::NOT_FOUND, INVALID, None, "unknown_url"),
            Self::WrongMethod { .. } => {
                look(StatusCode::METHOD_NOT_ALLOWED, INVALID, None, "method_not_allowed")
            }
            Self::InvalidKey => {
                look(StatusCode::UNAUTHORIZED, "authentication_error", None, "invalid_api_key")
            }
            Self::SecretRefused => {
                look(StatusCode::UNAUTHORIZED, "authentication_error", None, "invalid_client_secret")
            }
            Self::AdministrationNotRouted => {
                look(StatusCode::FORBIDDEN, "permission_error", None, "administration_not_routed")
            }
            Self::Handshake(error) => handshake_look(*error),
            Self::SocketForAll => look(StatusCode::FORBIDDEN, "permission_error", None, "socket_not_allowed"),
            Self::ContentType { .. } => {
                look(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID, None, "unsupported_content_type")
            }
            Self::ContentEncoding => {
                look(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID, None, "unsupported_content_encoding")
            }
            Self::BodyTooLarge { .. } => {
                look(StatusCode::PAYLOAD_TOO_LARGE, INVALID, None, "request_too_large")
            }
            Self::BodyTimeout { .. } => look(StatusCode::REQUEST_TIMEOUT, INVALID, None, "request_timeout"),
            Self::BodyBroken { .. } => look(StatusCode::BAD_REQUEST, INVALID, None, "invalid_body"),
            Self::BadRequest { param, code, .. } => look(StatusCode::BAD_REQUEST, INVALID, *param, code),
            Self::BadForm(error) => look(StatusCode::BAD_REQUEST, INVALID, error.param(), error.code()),
            Self::ModelNotFound { .. } => {
                look(StatusCode::NOT_FOUND, INVALID, Some("model"), "model_not_found")
            }
            Self::ObjectNotFound { .. } => look(StatusCode::NOT_FOUND, INVALID, None, "object_not_found"),
            Self::ObjectsApart { .. } => {
                look(StatusCode::CONFLICT, INVALID, None, "objects_on_different_channels")
            }
            Self::ObjectsAway => look(StatusCode::CONFLICT, INVALID, None, "object_channel_disabled"),
            Self::ListIncomplete { error, .. } => error.look(),
            Self::ListDisordered { .. } => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "list_disordered"),
            Self::ObjectsUnknown => {
                look(StatusCode::SERVICE_UNAVAILABLE, "server_error", None, "objects_unavailable")
            }
            Self::ListTooLong => look(StatusCode::BAD_REQUEST, INVALID, Some("limit"), "list_too_long"),
            Self::ModelMissing => look(StatusCode::BAD_REQUEST, INVALID, Some("model"), "missing_model"),
            Self::Upstream(answer) => upstream_look(answer.status),
            Self::Stopping => look(StatusCode::SERVICE_UNAVAILABLE, "server_error", None, "gateway_stopping"),
            Self::Connect => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "upstream_connect_error"),
            Self::Dns => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "upstream_dns_error"),
            Self::Tls => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "upstream_tls_error"),
            Self::Timeout => look(StatusCode::GATEWAY_TIMEOUT, UPSTREAM, None, "upstream_timeout"),
            Self::Closed => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "upstream_closed"),
            Self::Protocol => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "upstream_protocol_error"),
            Self::InvalidAnswer => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "upstream_invalid_response"),
            Self::Redirect => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "upstream_redirect"),
            Self::UpstreamCredentials => look(StatusCode::BAD_GATEWAY, UPSTREAM, None, "upstream_auth_error"),
            Self::AllLimited { .. } => {
                look(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", None, "rate_limit_exceeded")
            }
            Self::NoChannel { .. } => {
                look(StatusCode::SERVICE_UNAVAILABLE, "server_error", None, "no_channel_available")
            }
            Self::NoRoom => look(StatusCode::SERVICE_UNAVAILABLE, "server_error", None, "out_of_body_memory"),
            Self::NoFile => look(StatusCode::SERVICE_UNAVAILABLE, "server_error", None, "out_of_files"),
            Self::DiskFull => {
                look(StatusCode::INSUFFICIENT_STORAGE, "server_error", None, "upload_storage_full")
            }
            Self::DiskBroken => {
                look(StatusCode::SERVICE_UNAVAILABLE, "server_error", None, "upload_storage_unavailable")
            }
            Self::Internal => look(StatusCode::INTERNAL_SERVER_ERROR, "server_error", None, "internal_error"),
        }
    }

    /// Whose doing it was, as the exchange's record says it.
    pub(crate) fn outcome(&self) -> ExchangeOutcome {
        let Look { status, kind, .. } = self.look();
        if kind == "upstream_error" || kind == "rate_limit_error" {
            ExchangeOutcome::UpstreamError
        } else if matches!(
            self,
            Self::Internal
                | Self::Stopping
                | Self::NoRoom
                | Self::NoFile
                | Self::DiskFull
                | Self::DiskBroken
                | Self::ObjectsUnknown
        ) {
            ExchangeOutcome::GatewayError
        } else if status.is_server_error() {
            ExchangeOutcome::UpstreamError
        } else {
            ExchangeOutcome::ClientError
        }
    }

    /// How long the client should wait before it tries again.
    fn retry_after(&self) -> Option<Duration> {
        if let Self::Upstream(answer) = self {
            answer.retry_after
        } else if let Self::AllLimited { retry_after } = self {
            Some(*retry_after)
        } else if let Self::ListIncomplete { error, .. } = self {
            error.retry_after()
        } else {
            let is_brief = matches!(
                self,
                Self::NoChannel { .. } | Self::Stopping | Self::ObjectsUnknown | Self::NoRoom | Self::NoFile
            );
            is_brief.then_some(Duration::from_secs(1))
        }
    }

    /// Whether bytes of the request are still on their way, so that the connection cannot be used again.
    fn leaves_body_unread(&self) -> bool {
        matches!(
            self,
            Self::BodyTooLarge { .. }
                | Self::BodyTimeout { .. }
                | Self::BodyBroken { .. }
                | Self::BadForm(_)
                | Self::NoRoom
                | Self::DiskFull
                | Self::DiskBroken
        )
    }

    /// Whether the same request may fare better in a moment. The SDKs would try again on every 5xx by themselves.
    fn worth_retrying(&self) -> bool {
        if let Self::ListIncomplete { error, .. } = self {
            return error.worth_retrying();
        }
        !matches!(
            self,
            Self::UpstreamCredentials | Self::Redirect | Self::Internal | Self::ListDisordered { .. }
        )
    }
}
