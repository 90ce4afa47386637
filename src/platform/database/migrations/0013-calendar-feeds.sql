CREATE TABLE calendar_feeds (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users,
  name text NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_used_at timestamptz
);
CREATE INDEX calendar_feeds_user_id ON calendar_feeds (user_id);
COMMENT ON TABLE calendar_feeds IS 'addresses by which calendars read the tasks of a user, and nothing else';
COMMENT ON COLUMN calendar_feeds.token_hash IS 'SHA-256; the token has 256 random bits, so it needs no salt';
