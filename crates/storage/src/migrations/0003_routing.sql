-- How channels and models are routed and how calls are told; what an older gateway wrote stays as it was.

-- More kinds of probes. A column's check goes with the column, and the table that others point at stays in place.
ALTER TABLE channels ADD COLUMN probe TEXT NOT NULL DEFAULT 'models'
    CHECK (probe IN ('models', 'path', 'chat', 'chat_stream', 'embeddings', 'responses', 'off'));
UPDATE channels SET probe = probe_kind;
ALTER TABLE channels DROP COLUMN probe_kind;
ALTER TABLE channels RENAME COLUMN probe TO probe_kind;

ALTER TABLE channels ADD COLUMN tier INTEGER NOT NULL DEFAULT 0 CHECK (tier BETWEEN 0 AND 255);
ALTER TABLE channels ADD COLUMN requests_per_minute INTEGER CHECK (requests_per_minute BETWEEN 1 AND 4294967295);
ALTER TABLE channels ADD COLUMN tokens_per_minute INTEGER CHECK (tokens_per_minute BETWEEN 1 AND 4294967295);
ALTER TABLE channels ADD COLUMN add_cache_key INTEGER NOT NULL DEFAULT 0 CHECK (add_cache_key IN (0, 1));
-- NULL is the gateway's own time.
ALTER TABLE channels ADD COLUMN connect_timeout_ms INTEGER CHECK (connect_timeout_ms >= 0);
ALTER TABLE channels ADD COLUMN first_byte_timeout_ms INTEGER CHECK (first_byte_timeout_ms >= 0);
ALTER TABLE channels ADD COLUMN stream_gap_timeout_ms INTEGER CHECK (stream_gap_timeout_ms >= 0);

-- NULL is as for every model.
ALTER TABLE models ADD COLUMN policy TEXT;
ALTER TABLE models ADD COLUMN slack_percent INTEGER CHECK (slack_percent BETWEEN 0 AND 4294967295);
ALTER TABLE models ADD COLUMN sticky INTEGER CHECK (sticky IN (0, 1));
ALTER TABLE models ADD COLUMN cut INTEGER CHECK (cut IN (0, 1));
-- NULL is no second attempt; with one, no time of its own is the learned one.
ALTER TABLE models ADD COLUMN hedge_max_percent INTEGER CHECK (hedge_max_percent BETWEEN 0 AND 100);
ALTER TABLE models ADD COLUMN hedge_after_ms INTEGER CHECK (hedge_after_ms >= 0);

ALTER TABLE users ADD COLUMN may_explain INTEGER NOT NULL DEFAULT 0 CHECK (may_explain IN (0, 1));

ALTER TABLE exchanges ADD COLUMN session_source TEXT NOT NULL DEFAULT '';
