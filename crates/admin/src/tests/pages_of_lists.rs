//! Lists by the page: nothing twice, nothing left out, whatever happens meanwhile.

use gateway_domain::{ChannelId, UnixMillis, UserId};
use gateway_sessions::SessionKey;
use serde_json::{Value, json};

use super::gateway::{Gateway, NOW, Reply};

/// Where the `Link` header of an answer leads.
fn next(reply: &Reply) -> Option<String> {
    let link = reply.header("link")?;
    Some(link.strip_prefix('<').unwrap().strip_suffix(">; rel=\"next\"").unwrap().to_owned())
}

/// Follows the links to the end; gives what `field` says in all rows, and how many pages there were.
async fn walk(gateway: &Gateway, path: &str, field: &str) -> (Vec<Value>, usize) {
    let (mut seen, mut pages, mut path) = (Vec::new(), 0, Some(path.to_owned()));
    while let Some(at) = path {
        let reply = gateway.get(&at).await;
        seen.extend(reply.ok().as_array().unwrap().iter().map(|row| row[field].clone()));
        pages += 1;
        path = next(&reply);
    }
    (seen, pages)
}

/// Five of everything.
async fn furnished() -> Gateway {
    let gateway = Gateway::new();
    for (number, name) in ["delta", "Alpha", "charlie & co", "bravo", "ähre"].into_iter().enumerate() {
        let channel = gateway.channel(name).await;
        let model = gateway.model(name).await;
        gateway.user(name, &format!("sk-canary-user-key-100{number}")).await;
        let body = json!({"channel_id": channel, "backend_model_name": format!("up/{name}")});
        gateway.post("/api/models/1/channels", body).await.made();
        gateway
            .post("/api/users/1/keys", json!({"api_key": format!("sk-canary-more-key-200{number}")}))
            .await
            .made();
        let key = SessionKey::of_user(UserId(model), name.into());
        let used = UnixMillis(NOW.0 + i64::try_from(number / 2).unwrap());
        gateway.sessions.remember(&key, ChannelId(channel), used);
    }
    gateway
}

const LISTS: [(&str, &str, usize); 6] = [
    ("/api/channels", "id", 5),
    ("/api/models", "name", 5),
    ("/api/models/1/channels", "id", 5),
    ("/api/users", "id", 5),
    ("/api/users/1/keys", "id", 6),
    ("/api/sessions", "id", 5),
];

#[tokio::test]
async fn pages_of_any_size_are_together_the_whole_list() {
    let gateway = furnished().await;
    for (path, field, count) in LISTS {
        let (whole, pages) = walk(&gateway, path, field).await;
        assert_eq!((whole.len(), pages), (count, 1), "{path}");
        for limit in 1..=count {
            let (seen, pages) = walk(&gateway, &format!("{path}?limit={limit}"), field).await;
            assert_eq!((&seen, pages), (&whole, count.div_ceil(limit)), "{path} by {limit}");
        }
        let first = gateway.get(&format!("{path}?limit=2")).await;
        assert_eq!(first.header("x-total-count"), Some(&*count.to_string()), "{path}");
    }
}

#[tokio::test]
async fn what_goes_and_comes_meanwhile_moves_no_page() {
    let gateway = furnished().await;
    let first = gateway.get("/api/models?limit=3").await;
    let names = |reply: &Reply| -> Vec<String> {
        reply.ok().as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&first), ["Alpha", "bravo", "charlie & co"]);
    // The last row of the page itself is deleted, and one is made before it.
    gateway.delete("/api/models/3").await;
    gateway.model("Aardvark").await;
    assert_eq!(names(&gateway.get(&next(&first).unwrap()).await), ["delta", "ähre"]);

    let first = gateway.get("/api/sessions?limit=2").await;
    let key = SessionKey::of_user(UserId(1), "delta".into());
    gateway.sessions.remember(&key, ChannelId(1), UnixMillis(NOW.0 + 9));
    let (rest, _) = walk(&gateway, &next(&first).unwrap(), "model").await;
    assert_eq!(rest, ["Alpha"], "delta has moved to the top, and charlie went with its model");
}

#[tokio::test]
async fn each_list_is_searched_by_what_people_know_of_its_rows() {
    let gateway = furnished().await;
    for (path, found) in [
        ("/api/channels?q=ALPHA", &["Alpha"][..]),
        ("/api/channels?q=127.0.0.1%20bravo", &["bravo"]),
        ("/api/models?q=%C3%84HR", &["ähre"]),
        ("/api/models?q=nothing", &[]),
        ("/api/users?q=rav", &["bravo"]),
        ("/api/users?q=1003", &["bravo"]),
        ("/api/users?q=sk-can", &["delta", "Alpha", "charlie & co", "bravo", "ähre"]),
    ] {
        assert_eq!(walk(&gateway, path, "name").await.0, found, "{path}");
    }
    let mappings = walk(&gateway, "/api/models/1/channels?q=up/alp", "channel_name").await;
    assert_eq!(mappings.0, ["Alpha"]);
    assert_eq!(walk(&gateway, "/api/users/1/keys?q=2003", "last_four").await.0, ["2003"]);
    assert_eq!(walk(&gateway, "/api/sessions?q=charlie", "model").await.0, ["charlie & co"]);
    // A search has pages too.
    let page = gateway.get("/api/users?q=sk-can&limit=2").await;
    assert_eq!(page.header("x-total-count"), Some("5"));
    assert_eq!(walk(&gateway, &next(&page).unwrap(), "name").await.0, ["charlie & co", "bravo", "ähre"]);
}

#[tokio::test]
async fn a_query_that_cannot_be_meant_is_refused() {
    let gateway = furnished().await;
    for (path, _, _) in LISTS {
        for limit in ["0", "-1", "all"] {
            let reply = gateway.get(&format!("{path}?limit={limit}")).await;
            reply.refused_for(422, "invalid_value", "limit");
        }
        gateway.get(&format!("{path}?offset=5")).await.refused_for(400, "unknown_field", "offset");
    }
    gateway.get("/api/users?after=x").await.refused_for(422, "invalid_value", "after");
    gateway.get("/api/sessions?after=5").await.refused_for(422, "invalid_value", "after");
}
