-- The gateway's tables. Moments are milliseconds since 1970 (UTC), truth values 0 or 1.
-- 0x4F414757 is "OAGW": tells the gateway's files from those of other programs.
PRAGMA application_id = 0x4F414757;

-- What the file says about itself: which master key it wants, whether clear text must still be wiped out of it.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY  NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE settings (
    name       TEXT    PRIMARY KEY,
    value      TEXT    NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- AUTOINCREMENT: the number of a deleted row is never given again, so an old link or record cannot come to mean
-- something new.
CREATE TABLE channels (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    name             TEXT    NOT NULL UNIQUE,
    base_url         TEXT    NOT NULL,
    api_key          BLOB    NOT NULL,  -- sealed with the master key, bound to the id
    weight           INTEGER NOT NULL CHECK (weight BETWEEN 0 AND 4294967295),
    enabled          INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    serves_any_model INTEGER NOT NULL CHECK (serves_any_model IN (0, 1)),
    max_concurrency  INTEGER CHECK (max_concurrency BETWEEN 0 AND 4294967295),
    probe_kind       TEXT    NOT NULL CHECK (probe_kind IN ('models', 'path', 'chat', 'off')),
    probe_detail     TEXT,
    managed_by       TEXT    NOT NULL CHECK (managed_by IN ('api', 'file')),
    version          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL
) STRICT;

CREATE TABLE models (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL UNIQUE,
    managed_by TEXT    NOT NULL CHECK (managed_by IN ('api', 'file')),
    implied    INTEGER NOT NULL DEFAULT 0 CHECK (implied IN (0, 1)),  -- made because a channel lists it
    version    INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE TABLE mappings (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    model_id      INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
    channel_id    INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    backend_model TEXT    NOT NULL,
    weight        INTEGER NOT NULL CHECK (weight BETWEEN 0 AND 4294967295),
    managed_by    TEXT    NOT NULL CHECK (managed_by IN ('api', 'file')),
    implied       INTEGER NOT NULL DEFAULT 0 CHECK (implied IN (0, 1)),  -- made because the channel lists the model
    version       INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    UNIQUE (model_id, channel_id)
) STRICT;
CREATE INDEX mappings_by_channel ON mappings (channel_id);

CREATE TABLE users (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    name           TEXT    NOT NULL,
    enabled        INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    allowed_models TEXT,  -- a JSON array of names; NULL is all models
    managed_by     TEXT    NOT NULL CHECK (managed_by IN ('api', 'file')),
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX users_by_name ON users (name);

CREATE TABLE user_keys (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    prefix     TEXT    NOT NULL,
    last_four  TEXT    NOT NULL,
    managed_by TEXT    NOT NULL CHECK (managed_by IN ('api', 'file')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER
) STRICT;
CREATE INDEX user_keys_by_user ON user_keys (user_id);

-- The ids come from the session table in memory. Rows of the original gateway have the model ''; of those a user may
-- have several, so the key below is not unique.
CREATE TABLE sessions (
    id           INTEGER PRIMARY KEY,
    user_id      INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    model        TEXT    NOT NULL,
    name         INTEGER NOT NULL,  -- 64 bits, reinterpreted as signed
    channel_id   INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_by_key ON sessions (user_id, model, name);
CREATE INDEX sessions_by_channel ON sessions (channel_id);

-- What the original gateway had counted; written once, at migration.
CREATE TABLE lifetime_metrics (
    channel_id      INTEGER PRIMARY KEY REFERENCES channels (id) ON DELETE CASCADE,
    latency_mean    REAL    NOT NULL,  -- seconds
    error_rate      REAL    NOT NULL,
    requests        INTEGER NOT NULL,
    successes       INTEGER NOT NULL,
    last_updated_at INTEGER NOT NULL
) STRICT;

-- History: points at users, keys and channels by number only, and outlives them.
CREATE TABLE exchanges (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id    TEXT    NOT NULL,
    started_at    INTEGER NOT NULL,
    user_id       INTEGER,
    key_id        INTEGER,
    endpoint      TEXT    NOT NULL,
    model         TEXT,
    streamed      INTEGER NOT NULL CHECK (streamed IN (0, 1)),
    attempts      TEXT    NOT NULL,  -- a JSON array, see exchanges/attempts.rs
    outcome       TEXT    NOT NULL,
    status        INTEGER NOT NULL,
    first_byte_ms INTEGER,
    total_ms      INTEGER NOT NULL,
    bytes_in      INTEGER NOT NULL,
    bytes_out     INTEGER NOT NULL,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    cached_tokens     INTEGER,
    reasoning_tokens  INTEGER
) STRICT;
CREATE INDEX exchanges_by_request_id ON exchanges (request_id);
CREATE INDEX exchanges_by_user ON exchanges (user_id);
CREATE INDEX exchanges_by_model ON exchanges (model);
CREATE INDEX exchanges_by_outcome ON exchanges (outcome);
CREATE INDEX exchanges_by_status ON exchanges (status);

-- Which channels an exchange tried, so that they can be searched for.
CREATE TABLE exchange_channels (
    exchange_id INTEGER NOT NULL REFERENCES exchanges (id) ON DELETE CASCADE,
    channel_id  INTEGER NOT NULL,
    PRIMARY KEY (exchange_id, channel_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX exchange_channels_by_channel ON exchange_channels (channel_id, exchange_id);
