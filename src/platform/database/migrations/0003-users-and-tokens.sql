CREATE TABLE users (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  username text NOT NULL,
  username_key text NOT NULL UNIQUE,
  password_hash text NOT NULL,
  role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
  disabled boolean NOT NULL DEFAULT false,
  token_epoch integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamptz
);
COMMENT ON COLUMN users.username_key IS 'the name without regard to case and Unicode form';
COMMENT ON COLUMN users.token_epoch IS 'grows with password, role and disabling: access tokens of an earlier epoch are void';
COMMENT ON TABLE users IS 'never deleted, only disabled: rows elsewhere name them';

-- Without a foreign key: its check would lock the user's row in every insert of a task.
CREATE INDEX tasks_user_id ON tasks (user_id, id) WHERE user_id IS NOT NULL AND deleted_at IS NULL;

CREATE TABLE sessions (
  id uuid PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users,
  generation integer NOT NULL DEFAULT 0,
  user_agent text NOT NULL,
  address text NOT NULL,
  created_at timestamptz NOT NULL,
  last_used_at timestamptz NOT NULL,
  rotated_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_user_id ON sessions (user_id);
CREATE INDEX sessions_expires_at ON sessions (expires_at);
COMMENT ON TABLE sessions IS 'one row a login: the family of its refresh tokens; in Redis instead when REDIS_URL is set';
COMMENT ON COLUMN sessions.generation IS 'number of the refresh token that is valid now';

CREATE TABLE api_tokens (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users,
  name text NOT NULL,
  token_hash bytea NOT NULL UNIQUE,
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  last_used_at timestamptz,
  expires_at timestamptz
);
CREATE INDEX api_tokens_user_id ON api_tokens (user_id);
COMMENT ON COLUMN api_tokens.token_hash IS 'SHA-256; the token has 256 random bits, so it needs no salt';

CREATE TABLE tickets (
  hash bytea PRIMARY KEY,
  actor json NOT NULL,
  expires_at timestamptz NOT NULL
);
COMMENT ON TABLE tickets IS 'single-use admissions of WebSockets';

CREATE TABLE revocations (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  user_id integer NOT NULL,
  session_id uuid,
  token_id integer,
  epoch integer,
  CHECK (num_nonnulls(session_id, token_id, epoch) = 1)
);
CREATE INDEX revocations_at ON revocations (at);
CREATE INDEX revocations_session_id ON revocations (session_id) WHERE session_id IS NOT NULL;
COMMENT ON TABLE revocations IS 'what every process must stop honouring: a session, an API token, or what was proved before an epoch of the user; kept while an access token could live';
