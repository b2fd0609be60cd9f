//! Each user sees its own objects, of all channels, as one list.

use gateway_tests::{Answer, Call, Gateway, USER_KEY, Upstream, json_body, status, until, weighted};
use http::Method;
use serde_json::{Value, json};

use super::account::{Clock, account, account_at, account_of, stubborn_account};
use super::{OTHER_KEY, made, make};

/// Every list of objects that OpenAI has.
const LISTS: [&str; 12] = [
    "/v1/assistants",
    "/v1/audio/voice_consents",
    "/v1/batches",
    "/v1/chat/completions",
    "/v1/chatkit/threads",
    "/v1/containers",
    "/v1/evals",
    "/v1/files",
    "/v1/fine_tuning/jobs",
    "/v1/skills",
    "/v1/vector_stores",
    "/v1/videos",
];

/// Two accounts with a gateway before them.
struct Both {
    gw: Gateway,
    accounts: [Upstream; 2],
    clock: Clock,
}

// === impl Both ===

impl Both {
    async fn start() -> Self {
        let clock = Clock::default();
        let accounts = [account_at("one", &clock).await, account_at("other", &clock).await];
        let [one, other] = &accounts;
        let builder = Gateway::serving("m", [one]).model("other-m", weighted([(other, 10)]));
        let builder = builder.user("tenant", OTHER_KEY).set("proxy.default_channel", one.name());
        Self { gw: builder.start().await, accounts, clock }
    }

    /// Makes an assistant at one of the two, which serve different models.
    async fn make_at(&self, account: usize, key: &str) -> String {
        let model = if account == 0 { "m" } else { "other-m" };
        let asked = json!({"model": model}).to_string();
        made(&self.gw.post("/v1/assistants", asked).key(key).send().await)
    }

    /// Assistants of two users at both accounts, some of them made in the same second; those of the first user.
    async fn fill(&self) -> Vec<String> {
        let mut own = Vec::new();
        // Account, whose, seconds until the next one.
        for (account, is_own, wait) in [
            (0, true, 0),
            (1, true, 1),
            (1, false, 0),
            (0, true, 0),
            (0, true, 1),
            (0, false, 1),
            (0, false, 0),
            (1, true, 0),
            (1, true, 0),
            (0, true, 2),
            (1, false, 0),
            (1, true, 1),
            (0, true, 1),
            (1, false, 1),
        ] {
            let id = self.make_at(account, if is_own { USER_KEY } else { OTHER_KEY }).await;
            own.extend(is_own.then_some(id));
            self.clock.pass(wait);
        }
        own
    }

    async fn page(&self, query: &str) -> Value {
        let answer = self.gw.get(&format!("/v1/assistants?{query}")).send().await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body_text());
        answer.json()
    }

    /// Goes through all pages as OpenAI's clients do.
    async fn all(&self, query: &str) -> Vec<Value> {
        let mut seen: Vec<Value> = Vec::new();
        loop {
            let after = seen.last().map(|last| format!("&after={}", text(&last["id"]))).unwrap_or_default();
            let page = self.page(&format!("{query}{after}")).await;
            let data = page["data"].as_array().unwrap();
            assert_eq!(page["first_id"], data.first().map_or(Value::Null, |item| item["id"].clone()));
            assert_eq!(page["last_id"], data.last().map_or(Value::Null, |item| item["id"].clone()));
            seen.extend(data.iter().cloned());
            if page["has_more"] == false {
                return seen;
            }
            assert!(!data.is_empty(), "clients take an empty page for the end");
        }
    }
}

fn text(id: &Value) -> &str {
    id.as_str().expect("an id is text")
}

fn ids(list: &Value) -> Vec<String> {
    let data = list["data"].as_array().unwrap_or_else(|| panic!("no list: {list}"));
    data.iter().map(|item| text(&item["id"]).to_owned()).collect()
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

#[tokio::test]
async fn pages_of_any_length_show_each_own_object_of_both_channels_once_and_in_order() {
    let mut both = Both::start().await;
    let own = sorted(both.fill().await);
    for round in 0..2 {
        for order in ["asc", "desc"] {
            let mut first = None;
            for limit in [1, 2, 3, 7, 100] {
                let seen = both.all(&format!("limit={limit}&order={order}")).await;
                let moments: Vec<i64> =
                    seen.iter().map(|item| item["created_at"].as_i64().unwrap()).collect();
                let ordered =
                    if order == "asc" { moments.is_sorted() } else { moments.iter().rev().is_sorted() };
                assert!(ordered, "round {round}, {order}, {limit}: {moments:?}");
                let seen: Vec<String> = seen.iter().map(|item| text(&item["id"]).to_owned()).collect();
                assert_eq!(sorted(seen.clone()), own, "round {round}, {order}, {limit}");
                let first = first.get_or_insert_with(|| seen.clone());
                assert_eq!(*first, seen, "the order does not depend on the pages");
            }
        }
        both.gw.restart().await;
    }
}

#[tokio::test]
async fn the_page_before_an_object_ends_with_the_one_right_before_it() {
    let both = Both::start().await;
    both.fill().await;
    for order in ["asc", "desc"] {
        let all = both.all(&format!("limit=100&order={order}")).await;
        for at in 0..all.len() {
            let page = both.page(&format!("limit=3&order={order}&before={}", text(&all[at]["id"]))).await;
            assert_eq!(page["data"].as_array().unwrap()[..], all[at.saturating_sub(3)..at]);
            assert_eq!(page["has_more"], at > 3);
        }
    }
}

#[tokio::test]
async fn whoever_deletes_what_a_page_shows_finds_all_the_rest_on_the_pages_behind_it() {
    let both = Both::start().await;
    let own = sorted(both.fill().await);
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = both.page(&format!("limit=2{after}")).await;
        for id in ids(&page) {
            let deleted = both.gw.call(Method::DELETE, &format!("/v1/assistants/{id}")).send().await;
            assert_eq!(deleted.status, 200);
            after = format!("&after={id}");
            seen.push(id);
        }
        if page["has_more"] == false {
            break;
        }
    }
    assert_eq!(sorted(seen), own);
    assert_eq!(both.all("limit=2").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_list_of_one_channel_passes_byte_for_byte_and_the_other_is_not_asked() {
    let both = Both::start().await;
    let [one, other] = &both.accounts;
    for _ in 0..3 {
        both.make_at(1, USER_KEY).await;
    }
    for query in ["", "?limit=2", "?limit=2&order=asc", "?limit=oh"] {
        let path = format!("/v1/assistants{query}");
        if query == "?limit=oh" {
            other.set_always(status(400));
            assert_eq!(both.gw.get(&path).send().await.status, 400, "the channel judges for itself");
            continue;
        }
        let direct = Call::new(other.address(), Method::GET, &path).key(other.key()).send().await;
        let through = both.gw.get(&path).send().await;
        assert_eq!(through.body_text(), direct.body_text());
        assert_eq!((through.channel(), through.attempts()), (other.name(), 1));
    }
    assert_eq!(one.count(), 0);
}

#[tokio::test]
async fn who_has_nothing_gets_an_empty_list_of_every_kind_and_nobody_is_asked() {
    let both = Both::start().await;
    for path in LISTS {
        let answer = both.gw.get(&format!("{path}?limit=5")).send().await;
        let empty =
            json!({"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false});
        assert_eq!((answer.status, answer.json()), (200, empty), "{path}");
        both.gw.get(&format!("{path}?limit=many")).send().await.assert_error(400, "invalid_value");
    }
    assert_eq!([both.accounts[0].count(), both.accounts[1].count()], [0, 0]);
}

/// Makes one object of each kind that can be listed.
async fn make_all(gw: &Gateway, model: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    let form = |file: &str| {
        format!(
            "--b\r\ncontent-disposition: form-data; name=\"{file}\"; filename=\"f\"\r\n\r\nx\r\n--b--\r\n"
        )
    };
    for path in LISTS {
        let asked = json!({"model": model, "store": true, "input_file_id": Value::Null, "messages": []});
        let call = match path {
            "/v1/audio/voice_consents" | "/v1/files" => {
                let call = gw.call(Method::POST, path);
                let file = if path == "/v1/files" { "file" } else { "recording" };
                call.header("content-type", "multipart/form-data; boundary=b").body(form(file))
            }
            // A thread of ChatKit is made by whoever chats.
            "/v1/chatkit/threads" => continue,
            _ => gw.post(path, asked.to_string()),
        };
        all.push((path, made(&call.send().await)));
    }
    all
}

#[tokio::test]
async fn every_kind_of_object_is_listed_to_its_user_after_a_restart_and_to_nobody_else() {
    let mut both = Both::start().await;
    let mut objects = make_all(&both.gw, "m").await;
    both.gw.set("proxy.default_channel", both.accounts[1].name());
    both.gw.restart().await;
    objects.extend(make_all(&both.gw, "other-m").await);
    both.gw.restart().await;
    for path in LISTS {
        let own: Vec<String> =
            objects.iter().filter(|(of, _)| *of == path).map(|(_, id)| id.clone()).collect();
        let listed = ids(&both.gw.get(path).send().await.json());
        assert_eq!(sorted(listed), sorted(own.clone()), "{path}");
        let accounts: Vec<&str> = own.iter().map(|id| account_of(id)).collect();
        assert!(own.is_empty() || accounts == ["one", "other"], "{path}: {own:?}");
        let foreign = both.gw.get(path).key(OTHER_KEY).send().await;
        assert_eq!(ids(&foreign.json()), Vec::<String>::new(), "{path}");
        let cursor = own.first().map_or("x", |id| id);
        let foreign = both.gw.get(&format!("{path}?after={cursor}")).key(OTHER_KEY).send().await;
        assert_eq!(ids(&foreign.json()), Vec::<String>::new(), "{path}");
    }
}

#[tokio::test]
async fn a_cursor_that_is_no_object_of_the_users_is_no_place_in_its_list() {
    let both = Both::start().await;
    both.fill().await;
    let theirs = both.make_at(0, OTHER_KEY).await;
    for id in [&*theirs, "assistants_one_99"] {
        let answer = both.gw.get(&format!("/v1/assistants?after={id}")).send().await;
        answer.assert_error(404, "object_not_found");
    }
    for (query, param) in
        [("after=a&before=b", "before"), ("order=up", "order"), ("order_by=name", "order_by")]
    {
        let answer = both.gw.get(&format!("/v1/assistants?{query}")).send().await;
        answer.assert_error(400, "invalid_value");
        assert_eq!(answer.json()["error"]["param"], param);
    }
    let nothing = both.page("limit=0").await;
    assert_eq!((ids(&nothing), &nothing["has_more"]), (Vec::new(), &json!(true)));
}

#[tokio::test]
async fn a_channel_that_fails_fails_the_list_and_is_named() {
    let both = Both::start().await;
    both.fill().await;
    let [one, other] = &both.accounts;
    other.set_always(status(500));
    let answer = both.gw.get("/v1/assistants").send().await;
    answer.assert_error(502, "upstream_error");
    let said = answer.body_text();
    assert!(said.contains(other.name()) && said.contains("cannot be given whole"), "{said}");
    let tried = both.gw.admin().exchange(answer.request_id()).await;
    let attempts = tried.attempts();
    assert!(attempts.contains(&(one.name().to_owned(), "ok".to_owned())), "{attempts:?}");
    assert_eq!(attempts.last().unwrap(), &(other.name().to_owned(), "server_error".to_owned()));
    assert_eq!(answer.attempts() as usize, attempts.len());
}

#[tokio::test]
async fn a_list_is_one_exchange_with_all_its_attempts() {
    let both = Both::start().await;
    both.fill().await;
    let answer = both.gw.get("/v1/assistants?limit=3").send().await;
    assert_eq!(answer.status, 200);
    let tried = both.gw.admin().exchange(answer.request_id()).await;
    let mut names: Vec<String> = tried.attempts().into_iter().map(|(name, _)| name).collect();
    names.sort();
    let mut expected: Vec<&str> = both.accounts.iter().map(Upstream::name).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
    assert_eq!((tried.outcome(), answer.attempts()), ("ok", 2));
}

#[tokio::test]
async fn what_a_disabled_channel_has_is_not_listed_until_it_is_enabled_again() {
    let (one, other) = (account("one").await, account("other").await);
    let gw = Gateway::empty().start().await;
    let admin = gw.admin();
    let (first, _) = (admin.add_channel(&one, &["m"]).await, admin.add_channel(&other, &["other-m"]).await);
    let mut own = Vec::new();
    for model in ["m", "other-m"] {
        own.push(make(&gw, "/v1/assistants", &json!({"model": model})).await);
    }
    let listed = async || sorted(ids(&gw.get("/v1/assistants").send().await.json()));
    assert_eq!(listed().await, sorted(own.clone()));
    for (enabled, shown) in [(false, own[1..].to_vec()), (true, own.clone())] {
        let path = format!("/api/channels/{first}");
        assert_eq!(admin.put(&path, &json!({"enabled": enabled})).await.status, 200);
        assert_eq!(listed().await, sorted(shown));
    }
}

#[tokio::test]
async fn what_else_is_asked_of_a_list_is_asked_of_every_channel() {
    let both = Both::start().await;
    both.fill().await;
    both.page("limit=2&metadata[a]=b%20c&x").await;
    for account in &both.accounts {
        let asked = account.requests().last().unwrap().target().to_owned();
        assert!(asked.contains("?metadata[a]=b%20c&x&limit="), "{asked}");
    }
}

#[tokio::test]
async fn stored_completions_are_asked_for_by_the_name_that_a_channel_has_for_their_model() {
    let one = account("one").await;
    let gw = Gateway::serving("m", [&one]).mapping("m", &one, "model", "backend").start().await;
    let asked = json!({"model": "m", "messages": [], "store": true}).to_string();
    made(&gw.post("/v1/chat/completions", asked).send().await);
    gw.get("/v1/chat/completions?model=m&limit=5").send().await;
    assert_eq!(one.requests().last().unwrap().target(), "/v1/chat/completions?model=backend&limit=5");
}

#[tokio::test]
async fn a_page_that_holds_only_other_users_objects_is_passed_over() {
    let one = account("one").await;
    let gw = Gateway::serving("m", [&one]).user("tenant", OTHER_KEY).start().await;
    let create = async |key: &str| made(&gw.post("/v1/assistants", r#"{"model":"m"}"#).key(key).send().await);
    let mut own = Vec::new();
    for key in [USER_KEY, OTHER_KEY, OTHER_KEY, OTHER_KEY, USER_KEY, OTHER_KEY, OTHER_KEY] {
        let id = create(key).await;
        own.extend((key == USER_KEY).then_some(id));
    }
    let page = async |query: &str| gw.get(&format!("/v1/assistants?{query}")).send().await.json();
    let first = page("limit=1&order=asc").await;
    assert_eq!((ids(&first), &first["has_more"]), (vec![own[0].clone()], &json!(true)));
    assert_eq!((&first["last_id"], &first["kept_at"]), (&json!(own[0]), &json!("one")));
    let second = page(&format!("limit=1&order=asc&after={}", own[0])).await;
    assert_eq!((ids(&second), &second["has_more"]), (vec![own[1].clone()], &json!(false)));
    let before = page(&format!("limit=3&order=asc&before={}", own[1])).await;
    assert_eq!((ids(&before), &before["has_more"]), (vec![own[0].clone()], &json!(false)));
}

#[tokio::test]
async fn channels_that_list_the_wrong_way_round_are_put_in_order() {
    let clock = Clock::default();
    let accounts = [stubborn_account("one", &clock).await, stubborn_account("other", &clock).await];
    let [one, other] = &accounts;
    let gw = Gateway::serving("m", [one]).model("other-m", weighted([(other, 10)])).start().await;
    let both = Both { gw, accounts, clock };
    for number in 0..9 {
        both.make_at(number % 2, USER_KEY).await;
        both.clock.pass(1);
    }
    for limit in [1, 2, 4, 20] {
        let seen = both.all(&format!("limit={limit}&order=desc")).await;
        let moments: Vec<i64> = seen.iter().map(|item| item["created_at"].as_i64().unwrap()).collect();
        assert_eq!(moments, [8, 7, 6, 5, 4, 3, 2, 1, 0], "limit {limit}");
    }
}

#[tokio::test]
async fn a_channel_that_lists_without_order_and_end_is_told_of() {
    let one = account("one").await;
    let made = std::sync::atomic::AtomicU32::new(0);
    let endless = Upstream::answering(move |request| {
        let number = made.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let item = json!({"id": format!("asst_{number}"), "created_at": number});
        let list = json!({"data": [item], "has_more": true});
        json_body(if request.method() == "GET" { &list } else { &item })
    });
    let endless = endless.start().await;
    let gw = Gateway::serving("m", [&one]).model("other-m", weighted([(&endless, 10)])).start().await;
    for model in ["m", "other-m"] {
        make(&gw, "/v1/assistants", &json!({"model": model})).await;
    }
    let answer = gw.get("/v1/assistants").send().await;
    answer.assert_error(502, "list_disordered");
    assert!(answer.body_text().contains(endless.name()), "{}", answer.body_text());
}

#[tokio::test]
async fn without_isolation_the_list_of_the_default_channel_passes_as_it_is() {
    let both = Both::start().await;
    both.fill().await;
    let [one, _] = &both.accounts;
    let direct = async || Call::new(one.address(), Method::GET, "/v1/assistants").key(one.key()).send().await;
    let expected = direct().await.body_text();
    both.gw.set("objects.isolation", "off");
    let listed = async || both.gw.get("/v1/assistants").key(OTHER_KEY).send().await;
    let passed = async || Some(listed().await).filter(|answer: &Answer| answer.body_text() == expected);
    until("isolation is off", passed).await;
}

#[tokio::test]
async fn what_a_list_says_of_a_batch_is_learned() {
    let batch = json!({"id": "batch_1", "created_at": 1, "output_file_id": "file-out"});
    let up = Upstream::answering({
        move |request| match request.target() {
            "/v1/batches" if request.method() == "GET" => {
                json_body(&json!({"object": "list", "data": [batch], "has_more": false}))
            }
            "/v1/batches" => json_body(&json!({"id": "batch_1", "created_at": 1})),
            _ => json_body(&json!({"id": "file-out"})),
        }
    });
    let up = up.start().await;
    let gw = Gateway::serving("m", [&up])
        .user("tenant", OTHER_KEY)
        .set("proxy.default_channel", up.name())
        .set("objects.unknown_ids", "refuse")
        .start()
        .await;
    make(&gw, "/v1/batches", &json!({})).await;
    gw.get("/v1/files/file-out").send().await.assert_error(404, "object_not_found");
    assert_eq!(ids(&gw.get("/v1/batches").send().await.json()), ["batch_1"]);
    assert_eq!(gw.get("/v1/files/file-out").send().await.status, 200);
    gw.get("/v1/files/file-out").key(OTHER_KEY).send().await.assert_error(404, "object_not_found");
}
