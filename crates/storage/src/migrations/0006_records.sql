-- Whose word the tokens of a call are, tokens that were sound, and indexes for what records are searched by.

ALTER TABLE exchanges ADD COLUMN audio_in_tokens INTEGER;
ALTER TABLE exchanges ADD COLUMN audio_out_tokens INTEGER;
-- NULL is of an older gateway, which kept what the upstream said and nothing else.
ALTER TABLE exchanges ADD COLUMN usage_source TEXT;

CREATE INDEX exchanges_by_key ON exchanges (key_id);
CREATE INDEX exchanges_by_endpoint ON exchanges (endpoint);
CREATE INDEX exchanges_by_start ON exchanges (started_at);
