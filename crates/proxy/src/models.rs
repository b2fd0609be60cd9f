//! `GET /v1/models`: what this key may use and what can be served now.

use bytes::Bytes;
use gateway_domain::User;
use gateway_health::Board;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde::Serialize;

use crate::body::Body;
use crate::error::ProxyError;
use crate::plane::{Plane, Served};

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: &'a str,
    object: &'static str,
    /// Seconds since 1970.
    created: i64,
    owned_by: &'static str,
}

/// The models that this user may use and that some channel can serve, by name. `None` is a caller without a key,
/// where the gateway is set to show its models to everybody.
pub(crate) fn list(plane: &Plane, board: &Board, user: Option<&User>) -> Response<Body> {
    let mut data: Vec<Item<'_>> = plane
        .models()
        .filter(|served| visible(served, board, user))
        .map(|served| item(plane, served))
        .collect();
    data.sort_by_key(|item| item.id);
    json(&List { object: "list", data })
}

/// One model, if it is one of those that [`list`] shows.
pub(crate) fn one(
    plane: &Plane,
    board: &Board,
    user: Option<&User>,
    id: &str,
) -> Result<Response<Body>, ProxyError> {
    plane
        .models()
        .find(|served| &*served.name == id && visible(served, board, user))
        .map(|served| json(&item(plane, served)))
        .ok_or_else(|| ProxyError::model_not_found(id))
}

fn visible(served: &Served, board: &Board, user: Option<&User>) -> bool {
    user.is_none_or(|user| user.may_use(&served.name))
        && served.channels().any(|channel| channel.weight > 0 && board.is_usable(channel.id))
}

fn item<'a>(plane: &'a Plane, served: &'a Served) -> Item<'a> {
    let made = plane.snapshot.models.get(&served.name).map_or(0, |model| model.created_at.seconds());
    Item { id: &served.name, object: "model", created: made, owned_by: "openai-gateway" }
}

fn json(value: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(value).expect("strings and numbers always have a JSON form");
    let mut response = Response::new(Body::full(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
