-- Which channel made a file, a response or another object, and whose it is. Objects of one moment are in the order in
-- which they were made, so the rowid counts; it is never given out.
CREATE TABLE objects (
    id         TEXT    PRIMARY KEY NOT NULL,
    kind       TEXT    NOT NULL,
    channel_id INTEGER NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    user_id    INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX objects_by_user ON objects (user_id, kind, created_at);
CREATE INDEX objects_by_channel ON objects (channel_id);
CREATE INDEX objects_by_age ON objects (created_at);
