-- When an upstream says that it made an object, in seconds; NULL: it has not said. Lists over several channels find
-- their place by it.
ALTER TABLE objects ADD COLUMN made_at INTEGER;
DROP INDEX objects_by_user;
CREATE INDEX objects_by_owner ON objects (user_id, kind, channel_id, made_at);
