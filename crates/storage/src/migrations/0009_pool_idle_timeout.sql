-- How long a channel's idle connections are kept; NULL is the gateway's own time.
ALTER TABLE channels ADD COLUMN pool_idle_timeout_ms INTEGER CHECK (pool_idle_timeout_ms >= 0);
