//! `GET /v1/models`: what this key may use and what can be served now.

use bytes::Bytes;
use gateway_domain::User;
use gateway_health::Board;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use serde::Serialize;

use crate::affinity::Directory;
use crate::body::Body;
use crate::error::ProxyError;
use crate::plane::{Plane, Served};
use crate::route::may_be_trained;

/// Clients learn whose a model is at the gateway, not at which upstream.
const OWNER: &str = "openai-gateway";

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

/// One model, if it is one of those that [`list`] shows, or one that the user has trained.
pub(crate) async fn one(
    plane: &Plane,
    board: &Board,
    directory: &Directory,
    user: Option<&User>,
    id: &str,
) -> Result<Response<Body>, ProxyError> {
    let served = plane.models().find(|served| &*served.name == id && visible(served, board, user));
    if let Some(served) = served {
        return Ok(json(&item(plane, served)));
    }
    let user = user.filter(|_| may_be_trained(id) && !plane.has_model(id));
    let user = user.ok_or_else(|| ProxyError::model_not_found(id))?;
    match directory.whose(id, user.id).await {
        Ok(Some((record, true))) => {
            let created = record.made_at.unwrap_or(record.created_at.seconds());
            Ok(json(&Item { id, object: "model", created, owned_by: OWNER }))
        }
        Err(error @ ProxyError::ObjectsUnknown) => Err(error),
        Ok(_) | Err(_) => Err(ProxyError::model_not_found(id)),
    }
}

fn visible(served: &Served, board: &Board, user: Option<&User>) -> bool {
    user.is_none_or(|user| user.may_use(&served.name))
        && served.channels().any(|channel| channel.weight > 0 && board.is_usable(channel.id))
}

fn item<'a>(plane: &'a Plane, served: &'a Served) -> Item<'a> {
    let made = plane.snapshot.models.get(&served.name).map_or(0, |model| model.created_at.seconds());
    Item { id: &served.name, object: "model", created: made, owned_by: OWNER }
}

fn json(value: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(value).expect("strings and numbers always have a JSON form");
    let mut response = Response::new(Body::full(Bytes::from(body)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
