//! The admin API, as a client with the right token calls it.

use std::borrow::Borrow;
use std::net::SocketAddr;

use http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::client::Call;
use crate::eventually::until;
use crate::upstream::Upstream;

/// Calls the admin API of one gateway.
#[derive(Clone, Debug)]
pub struct Admin {
    address: SocketAddr,
    token: Option<String>,
}

/// Which channels one exchange tried, in order, as the admin API tells it.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The record.
    pub record: Value,
}

// === impl Admin ===

impl Admin {
    pub(crate) fn new(address: SocketAddr, token: Option<&str>) -> Self {
        Self { address, token: token.map(str::to_owned) }
    }

    /// The same API, called with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { address: self.address, token: Some(token.to_owned()) }
    }

    /// The same API, called without a token.
    #[must_use]
    pub fn without_token(&self) -> Self {
        Self { address: self.address, token: None }
    }

    /// A call that the test may still change.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let call = Call::new(self.address, method, path);
        match &self.token {
            Some(token) => call.key(token),
            None => call,
        }
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path).send().await
    }

    /// `POST` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::POST, path).json(body).send().await
    }

    /// `PUT` with a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PUT, path).json(body).send().await
    }

    /// `PATCH` with a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call(Method::PATCH, path).json(body).send().await
    }

    /// `DELETE`.
    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path).send().await
    }

    /// `GET` of something that must be there, as JSON.
    pub async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "GET {path}: {}", answer.body_text());
        answer.json()
    }

    /// `GET` of a list that must be there.
    pub async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.read(path).await;
        let rows = answer.as_array().cloned();
        rows.unwrap_or_else(|| panic!("GET {path} is no list: {answer}"))
    }

    /// `POST` of something that must be accepted with 201; gives its id.
    pub async fn create(&self, path: &str, body: &Value) -> i64 {
        let answer = self.post(path, body).await;
        assert_eq!(answer.status, 201, "POST {path}: {}", answer.body_text());
        answer.json().get("id").and_then(Value::as_i64).expect("what is created has an id")
    }

    /// Makes a channel of an upstream that serves these models under their own names, and is judged by traffic
    /// alone; gives its id.
    pub async fn add_channel(&self, upstream: &Upstream, models: &[&str]) -> i64 {
        let (name, url, key) = (upstream.name(), upstream.base_url(), upstream.key());
        let channel = json!({"name": name, "base_url": url, "api_key": key, "weight": 10, "enabled": true,
                             "models": models, "probe": "off"});
        self.create("/api/channels", &channel).await
    }

    /// Ends all sessions, so that the next call of every user is routed afresh.
    pub async fn forget_sessions(&self) {
        for session in self.list("/api/sessions").await {
            let id = session.get("id").and_then(Value::as_i64).expect("a session has an id");
            let answer = self.delete(&format!("/api/sessions/{id}")).await;
            assert!(matches!(answer.status, 204 | 404), "{}", answer.body_text());
        }
    }

    /// The row of this name in a list.
    pub async fn named(&self, path: &str, name: &str) -> Value {
        let rows = self.list(path).await;
        let found = rows.iter().find(|row| row.get("name").and_then(Value::as_str) == Some(name));
        found.cloned().unwrap_or_else(|| panic!("{path} has no {name}: {rows:?}"))
    }

    /// The id of the row of this name in a list.
    pub async fn id_of(&self, path: &str, name: &str) -> i64 {
        self.named(path, name).await.get("id").and_then(Value::as_i64).expect("a row has an id")
    }

    /// All records there are by now, the newest first, from page to page as the `Link` headers lead.
    pub async fn exchanges(&self) -> Vec<Value> {
        let mut found = Vec::new();
        let mut next = Some("/api/exchanges?limit=500".to_owned());
        while let Some(page) = next {
            let answer = self.get(&page).await;
            assert_eq!(answer.status, 200, "GET {page}: {}", answer.body_text());
            let link = answer.header("link").strip_prefix('<').and_then(|link| link.split_once('>'));
            next = link.map(|(to, _)| to.to_owned());
            found.extend(answer.json().as_array().cloned().expect("a list of exchanges"));
        }
        found
    }

    /// What was recorded of one call, once it is.
    pub async fn exchange(&self, request_id: &str) -> Tried {
        let path = format!("/api/exchanges/{request_id}");
        let record = until("the exchange is recorded", async || {
            let answer = self.get(&path).await;
            (answer.status == 200).then(|| answer.json())
        });
        Tried { record: record.await }
    }
}

// === impl Tried ===

impl Tried {
    /// The attempts: channel name and outcome.
    pub fn attempts(&self) -> Vec<(String, String)> {
        let attempts = self.record.get("attempts").and_then(Value::as_array).cloned().unwrap_or_default();
        let word = |attempt: &Value, field: &str| {
            attempt.get(field).and_then(Value::as_str).unwrap_or("?").to_owned()
        };
        attempts.iter().map(|attempt| (word(attempt, "channel_name"), word(attempt, "outcome"))).collect()
    }

    /// How the exchange ended.
    pub fn outcome(&self) -> &str {
        self.record.get("outcome").and_then(Value::as_str).unwrap_or_default()
    }

    /// Exactly these channels were tried, in this order.
    pub fn assert_tried(&self, upstreams: impl IntoIterator<Item: Borrow<Upstream>>) {
        let names: Vec<String> = self.attempts().into_iter().map(|(channel, _)| channel).collect();
        let wanted = names_of(upstreams);
        assert_eq!(names, wanted, "{}", self.record);
    }
}

fn names_of(upstreams: impl IntoIterator<Item: Borrow<Upstream>>) -> Vec<String> {
    upstreams.into_iter().map(|upstream| upstream.borrow().name().to_owned()).collect()
}
