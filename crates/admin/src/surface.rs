//! Every route of the admin API on one page. The router, the gate, the 405s and `GET /api/openapi.json` are all made
//! from this table.

use matchit::Router;

use crate::error::ApiError;
use crate::route::Handler::{Ask, Door, Memory, Read, Write};
use crate::route::Shape::{Asset, Document, Events, Html, Many, One};
use crate::route::{Access, Answered, Call, Params, Route, Verb};
use crate::{
    Parts, channels, config, dependents, door, events, exchanges, explain, health, history, keys, mappings,
    models, openapi, page, routing, sessions, status, trial, ui, upstream, users,
};

const CHANNELS: &str = "/api/channels";
const CHANNEL: &str = "/api/channels/{id}";
const CHANNEL_DEPENDENTS: &str = "/api/channels/{id}/dependents";
const CHANNEL_HEALTH: &str = "/api/channels/{id}/health";
const CHANNEL_TEST: &str = "/api/channels/{id}/test";
const CHANNEL_MODELS: &str = "/api/channels/{id}/models";
const MODELS: &str = "/api/models";
const MODEL: &str = "/api/models/{id}";
const MODEL_DEPENDENTS: &str = "/api/models/{id}/dependents";
const MAPPINGS: &str = "/api/models/{id}/channels";
const MAPPING: &str = "/api/models/{id}/channels/{channel_id}";
const USERS: &str = "/api/users";
const USER: &str = "/api/users/{id}";
const USER_DEPENDENTS: &str = "/api/users/{id}/dependents";
const KEYS: &str = "/api/users/{id}/keys";
const KEY: &str = "/api/users/{id}/keys/{key_id}";
const ROTATE: &str = "/api/users/{id}/keys/{key_id}/rotate";
const SESSIONS: &str = "/api/sessions";
const SESSION: &str = "/api/sessions/{id}";
const HEALTH: &str = "/api/health/channels";
const HISTORY: &str = "/api/history";
const EVENTS: &str = "/api/events";
const STATUS: &str = "/api/status";
const CONFIG: &str = "/api/config";
const CHECK: &str = "/api/config/check";
const RELOAD: &str = "/api/config/reload";
pub(crate) const EXCHANGES: &str = "/api/exchanges";
const EXCHANGE: &str = "/api/exchanges/{request_id}";
const POOLS: &str = "/api/routing/pools";
const EXPLAIN: &str = "/api/routing/explain";
const OPENAPI: &str = "/api/openapi.json";
const STANDING: &str = "/api/session";
const LOGIN: &str = "/api/login";
const LOGOUT: &str = "/api/logout";
const UI: &str = "/ui/{folder}/{*file}";

/// The table. A row is for the holder of the token unless it says `public`.
#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    Route::get(CHANNELS, Read(channels::list)).says("channels", "List the channels").asks(&page::PARAMETERS).gives(Many(&channels::CHANNEL)),
    Route::create(CHANNELS, Write(channels::create)).says("channels", "Make a channel").takes(&channels::NEW_CHANNEL).gives(One(&channels::CHANNEL)),
    Route::get(CHANNEL, Read(channels::show)).says("channels", "Show a channel").gives(One(&channels::CHANNEL)),
    Route::put(CHANNEL, Write(channels::update)).says("channels", "Change a channel, as the original gateway did").takes(&channels::CHANGED_CHANNEL).gives(One(&channels::CHANNEL)),
    Route::patch(CHANNEL, Write(channels::update)).says("channels", "Change a channel").takes(&channels::CHANGED_CHANNEL).gives(One(&channels::CHANNEL)),
    Route::delete(CHANNEL, Write(channels::delete)).says("channels", "Delete a channel with its mappings and sessions"),
    Route::get(CHANNEL_DEPENDENTS, Read(dependents::of_channel)).says("channels", "Count what would go with a channel, and what would stay").gives(One(&dependents::DEPENDENTS)),
    Route::get(CHANNEL_HEALTH, Memory(health::show)).says("channels", "Show a channel's health and its last 60 ticks").gives(One(&health::HEALTH_HISTORY)),
    Route::act(CHANNEL_TEST, Ask(|p, c| Box::pin(upstream::test(p, c)))).says("channels", "Ask a channel now whether it is well").takes(&upstream::TEST).gives(One(&upstream::TEST_RESULT)),
    Route::get(CHANNEL_MODELS, Ask(|p, c| Box::pin(upstream::models(p, c)))).says("channels", "Ask a channel's upstream which models it has").gives(One(&upstream::UPSTREAM_MODELS)),

    Route::get(MODELS, Read(models::list)).says("models", "List the models").asks(&page::PARAMETERS).gives(Many(&models::MODEL)),
    Route::create(MODELS, Write(models::create)).says("models", "Make a model").takes(&models::NAMED_MODEL).gives(One(&models::MODEL)),
    Route::get(MODEL, Read(models::show)).says("models", "Show a model").gives(One(&models::MODEL)),
    Route::put(MODEL, Write(models::update)).says("models", "Rename or change a model").takes(&models::NAMED_MODEL).gives(One(&models::MODEL)),
    Route::patch(MODEL, Write(models::update)).says("models", "Change a model").takes(&models::CHANGED_MODEL).gives(One(&models::MODEL)),
    Route::delete(MODEL, Write(models::delete)).says("models", "Delete a model with its mappings and sessions"),
    Route::get(MODEL_DEPENDENTS, Read(dependents::of_model)).says("models", "Count what would go with a model, and what would stay").gives(One(&dependents::DEPENDENTS)),

    Route::get(MAPPINGS, Read(mappings::list)).says("mappings", "List the channels that serve a model").asks(&page::PARAMETERS).gives(Many(&mappings::MAPPING)),
    Route::create(MAPPINGS, Write(mappings::create)).says("mappings", "Let a channel serve a model").takes(&mappings::NEW_MAPPING).gives(One(&mappings::MAPPING)),
    Route::get(MAPPING, Read(mappings::show)).says("mappings", "Show how a channel serves a model").gives(One(&mappings::MAPPING)),
    Route::put(MAPPING, Write(mappings::update)).says("mappings", "Change how a channel serves a model").takes(&mappings::CHANGED_MAPPING).gives(One(&mappings::MAPPING)),
    Route::patch(MAPPING, Write(mappings::update)).says("mappings", "Change how a channel serves a model").takes(&mappings::CHANGED_MAPPING).gives(One(&mappings::MAPPING)),
    Route::delete(MAPPING, Write(mappings::delete)).says("mappings", "Let a channel no longer serve a model"),

    Route::get(USERS, Read(users::list)).says("users", "List the users").asks(&page::PARAMETERS).gives(Many(&users::USER)),
    Route::create(USERS, Write(users::create)).says("users", "Make a user; the answer shows its key, this once").takes(&users::NEW_USER).gives(One(&users::USER)),
    Route::get(USER, Read(users::show)).says("users", "Show a user").gives(One(&users::USER)),
    Route::put(USER, Write(users::update)).says("users", "Change a user").takes(&users::CHANGED_USER).gives(One(&users::USER)),
    Route::patch(USER, Write(users::update)).says("users", "Change a user").takes(&users::CHANGED_USER).gives(One(&users::USER)),
    Route::delete(USER, Write(users::delete)).says("users", "Delete a user with its keys and sessions"),
    Route::get(USER_DEPENDENTS, Read(dependents::of_user)).says("users", "Count what would go with a user, and what would stay").gives(One(&dependents::DEPENDENTS)),

    Route::get(KEYS, Read(keys::list)).says("keys", "List a user's keys").asks(&page::PARAMETERS).gives(Many(&keys::KEY)),
    Route::create(KEYS, Write(keys::create)).says("keys", "Give a user another key; the answer shows it, this once").takes(&keys::NEW_KEY).gives(One(&keys::NEW_KEY_MADE)),
    Route::delete(KEY, Write(keys::delete)).says("keys", "Revoke a key"),
    Route::create(ROTATE, Write(keys::rotate)).says("keys", "Replace a key; the answer shows the new one, this once").takes(&keys::ROTATION).gives(One(&keys::NEW_KEY_MADE)),

    Route::get(SESSIONS, Read(sessions::list)).says("sessions", "List the sessions, the one used last first").asks(&page::PARAMETERS).gives(Many(&sessions::SESSION)),
    Route::get(SESSION, Memory(sessions::show)).says("sessions", "Show a session").gives(One(&sessions::SESSION)),
    Route::delete(SESSION, Memory(sessions::delete)).says("sessions", "End a session: its next call draws a channel by chance"),

    Route::get(HEALTH, Memory(health::list)).says("gateway", "List the health of all channels").gives(Many(&health::HEALTH)),
    Route::get(HISTORY, Read(history::show)).says("gateway", "Show the figures of the last minutes, in all and by channel").asks(&history::PARAMETERS).gives(One(&history::HISTORY)),
    Route::get(EVENTS, Read(events::listen)).says("gateway", "Hear what happens as it happens: rates, health, exchange, dropped, config and reset, as server-sent events").gives(Events),
    Route::get(STATUS, Read(status::show)).says("gateway", "Show the gateway at a glance").gives(One(&status::STATUS)),
    Route::get(CONFIG, Memory(config::show)).says("gateway", "Show the configuration in force and how the last reload went").gives(One(&config::CONFIG)),
    Route::act(RELOAD, Ask(|p, c| Box::pin(config::reload(p, c)))).says("gateway", "Read the configuration file again and put it in force").gives(One(&config::RELOADED)),
    Route::act(CHECK, Read(trial::check)).says("gateway", "Check a configuration file and tell what it would change; nothing is put in force").takes(&trial::TRIAL).or_text().only_asks().gives(One(&trial::VERDICT)),
    Route::get(EXCHANGES, Read(exchanges::list)).says("gateway", "List past calls, newest first; the Link header leads to the next page").asks(&exchanges::PARAMETERS).gives(Many(&exchanges::EXCHANGE)),
    Route::get(EXCHANGE, Read(exchanges::show)).says("gateway", "Show a past call by its x-request-id").gives(One(&exchanges::EXCHANGE)),
    Route::get(POOLS, Memory(routing::list)).says("routing", "List the routing pools and how each channel stands in them").gives(Many(&routing::POOL)),
    Route::get(EXPLAIN, Memory(explain::get)).says("routing", "Explain what would happen to a call now, and why").asks(&explain::PARAMETERS).gives(One(&explain::EXPLANATION)),
    Route::act(EXPLAIN, Memory(explain::post)).says("routing", "Explain what would happen to a call now, and why").takes(&explain::QUESTION).only_asks().gives(One(&explain::EXPLANATION)),
    Route::get(OPENAPI, Memory(openapi::show)).says("gateway", "Show this document").gives(Document),

    Route::get(STANDING, Door(door::standing)).says("pages", "Say whether this browser has signed in").gives(One(&door::STANDING)).public(),
    Route::act(LOGIN, Door(door::login)).says("pages", "Sign in at the web pages; the answer sets a cookie").takes(&door::LOGIN).quiet().only_asks().public(),
    Route::act(LOGOUT, Door(door::logout)).says("pages", "Sign out").quiet().only_asks().public(),
    Route::get("/", Memory(ui::page)).says("pages", "Show the web pages").gives(Html).public(),
    Route::get(UI, Memory(ui::file)).says("pages", "Give a file of the web pages").gives(Asset).public(),
];

/// What shows the one thing at a path.
pub(crate) fn shows(path: &str) -> Option<fn(&Parts, &Call) -> Answered> {
    let route = ROUTES.iter().find(|route| route.path == path && route.verb == Verb::Get)?;
    if let Read(show) = route.handler { Some(show) } else { None }
}

/// The table as a router.
#[derive(Debug)]
pub(crate) struct Surface {
    /// For each path the rows of its methods, in the order of the table.
    router: Router<Vec<&'static Route>>,
}

/// A path of the table.
#[derive(Debug)]
pub(crate) struct Found<'s> {
    routes: &'s [&'static Route],
    params: Params,
}

// === impl Surface ===

impl Surface {
    pub(crate) fn new() -> Self {
        let mut paths: Vec<&'static str> = ROUTES.iter().map(|route| route.path).collect();
        paths.dedup();
        let mut router = Router::new();
        for path in paths {
            let rows = ROUTES.iter().filter(|route| route.path == path).collect();
            router.insert(path, rows).expect("a test holds that the table's paths do not collide");
        }
        Self { router }
    }

    /// The rows of a path: an exact match, byte for byte. Nothing is decoded, collapsed or folded.
    pub(crate) fn find(&self, path: &str) -> Option<Found<'_>> {
        let matched = self.router.at(path).ok()?;
        let params = matched.params.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Found { routes: matched.value, params })
    }
}

// === impl Found ===

impl Found<'_> {
    pub(crate) fn template(&self) -> &'static str {
        self.routes.first().map_or("", |route| route.path)
    }

    /// Who may call the path. One private method makes the whole path private.
    pub(crate) fn access(&self) -> Access {
        let public = self.routes.iter().all(|route| route.access == Access::Public);
        if public { Access::Public } else { Access::Admin }
    }

    /// The row of a method, with the path's parameters; or the methods that there are.
    pub(crate) fn method(self, verb: Option<Verb>) -> Result<(&'static Route, Params), ApiError> {
        match self.routes.iter().find(|route| Some(route.verb) == verb) {
            Some(route) => Ok((route, self.params)),
            None => Err(ApiError::WrongMethod { allow: self.allow() }),
        }
    }

    fn allow(&self) -> String {
        let mut methods: Vec<&str> = self.routes.iter().map(|route| route.verb.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        methods.join(", ")
    }
}
