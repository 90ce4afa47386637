-- Generated from the migrations by the test suite (npm test -- -u); do not edit.

CREATE TABLE api_tokens (
  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  user_id integer NOT NULL,
  name text NOT NULL,
  token_hash bytea NOT NULL,
  scopes text[] NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  last_used_at timestamp with time zone,
  expires_at timestamp with time zone,
  CONSTRAINT api_tokens_pkey PRIMARY KEY (id),
  CONSTRAINT api_tokens_token_hash_key UNIQUE (token_hash),
  CONSTRAINT api_tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id)
);
CREATE INDEX api_tokens_user_id ON public.api_tokens USING btree (user_id);
CREATE UNIQUE INDEX api_tokens_token_hash_key ON public.api_tokens USING btree (token_hash);
COMMENT ON COLUMN api_tokens.token_hash IS 'SHA-256; the token has 256 random bits, so it needs no salt';

CREATE TABLE event_horizon (
  only_row boolean NOT NULL DEFAULT true,
  purged_to bigint NOT NULL,
  CONSTRAINT event_horizon_only_row_check CHECK (only_row),
  CONSTRAINT event_horizon_pkey PRIMARY KEY (only_row)
);
COMMENT ON TABLE event_horizon IS 'up to which id events have been purged: who has read less than that cannot resume';

CREATE TABLE events (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  type text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  user_id integer,
  data json NOT NULL,
  CONSTRAINT events_pkey PRIMARY KEY (id)
);
CREATE INDEX events_user_id ON public.events USING btree (user_id, id) WHERE (user_id IS NOT NULL);
COMMENT ON TABLE events IS 'outbox: written in the transaction of the change each row tells of; delivered in id order';
COMMENT ON COLUMN events.user_id IS 'owner of what the event tells of; null: nobody in particular';

CREATE TABLE idempotency_keys (
  scope text NOT NULL,
  key text NOT NULL,
  fingerprint bytea NOT NULL,
  answer json NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT idempotency_keys_pkey PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_created_at ON public.idempotency_keys USING btree (created_at);
COMMENT ON TABLE idempotency_keys IS 'answers to writes that came with a key, written in the transaction of the write';
COMMENT ON COLUMN idempotency_keys.scope IS 'whose key it is: keys of different callers do not meet';

CREATE TABLE import_runs (
  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  importer text NOT NULL,
  trigger text NOT NULL,
  state text NOT NULL DEFAULT 'running'::text,
  started_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamp with time zone,
  created_count integer NOT NULL DEFAULT 0,
  updated_count integer NOT NULL DEFAULT 0,
  skipped_count integer NOT NULL DEFAULT 0,
  error text,
  CONSTRAINT import_runs_check CHECK (((state = 'running'::text) = (finished_at IS NULL))),
  CONSTRAINT import_runs_check1 CHECK (((state = 'failed'::text) = (error IS NOT NULL))),
  CONSTRAINT import_runs_pkey PRIMARY KEY (id),
  CONSTRAINT import_runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'succeeded'::text, 'failed'::text]))),
  CONSTRAINT import_runs_trigger_check CHECK ((trigger = ANY (ARRAY['schedule'::text, 'manual'::text])))
);
CREATE INDEX import_runs_importer ON public.import_runs USING btree (importer, id DESC);

CREATE TABLE imported_todos (
  key text NOT NULL,
  task_id integer,
  title text NOT NULL,
  description text NOT NULL,
  completed boolean NOT NULL,
  local_fields text[] NOT NULL DEFAULT '{}'::text[],
  CONSTRAINT imported_todos_pkey PRIMARY KEY (key),
  CONSTRAINT imported_todos_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE SET NULL
);
CREATE INDEX imported_todos_task_id ON public.imported_todos USING btree (task_id);
COMMENT ON COLUMN imported_todos.task_id IS 'null once the task is purged: it does not come back';
COMMENT ON COLUMN imported_todos.local_fields IS 'fields a person edited; the source no longer changes them';

CREATE TABLE revocations (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  user_id integer NOT NULL,
  session_id uuid,
  token_id integer,
  epoch integer,
  CONSTRAINT revocations_check CHECK ((num_nonnulls(session_id, token_id, epoch) = 1)),
  CONSTRAINT revocations_pkey PRIMARY KEY (id)
);
CREATE INDEX revocations_at ON public.revocations USING btree (at);
CREATE INDEX revocations_session_id ON public.revocations USING btree (session_id) WHERE (session_id IS NOT NULL);
COMMENT ON TABLE revocations IS 'what every process must stop honouring: a session, an API token, or what was proved before an epoch of the user; kept while an access token could live';

CREATE TABLE schema_migrations (
  name text NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);

CREATE TABLE sessions (
  id uuid NOT NULL,
  user_id integer NOT NULL,
  generation integer NOT NULL DEFAULT 0,
  user_agent text NOT NULL,
  address text NOT NULL,
  created_at timestamp with time zone NOT NULL,
  last_used_at timestamp with time zone NOT NULL,
  rotated_at timestamp with time zone NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT sessions_pkey PRIMARY KEY (id),
  CONSTRAINT sessions_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id)
);
CREATE INDEX sessions_expires_at ON public.sessions USING btree (expires_at);
CREATE INDEX sessions_user_id ON public.sessions USING btree (user_id);
COMMENT ON TABLE sessions IS 'one row a login: the family of its refresh tokens; in Redis instead when REDIS_URL is set';
COMMENT ON COLUMN sessions.generation IS 'number of the refresh token that is valid now';

CREATE TABLE tasks (
  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  title text NOT NULL,
  description text,
  status text NOT NULL DEFAULT 'todo'::text,
  city text,
  weather jsonb,
  user_id integer,
  source text,
  source_key text,
  version integer NOT NULL DEFAULT 1,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone,
  deleted_at timestamp with time zone,
  CONSTRAINT tasks_check CHECK (((source IS NULL) = (source_key IS NULL))),
  CONSTRAINT tasks_city_check CHECK (((char_length(city) >= 1) AND (char_length(city) <= 100))),
  CONSTRAINT tasks_description_check CHECK ((char_length(description) <= 10000)),
  CONSTRAINT tasks_pkey PRIMARY KEY (id),
  CONSTRAINT tasks_status_check CHECK ((status = ANY (ARRAY['todo'::text, 'in_progress'::text, 'done'::text, 'failed'::text]))),
  CONSTRAINT tasks_title_check CHECK (((char_length(title) >= 1) AND (char_length(title) <= 100)))
);
CREATE INDEX tasks_deleted_at ON public.tasks USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX tasks_user_id ON public.tasks USING btree (user_id, id) WHERE ((user_id IS NOT NULL) AND (deleted_at IS NULL));
CREATE UNIQUE INDEX tasks_source_key ON public.tasks USING btree (source, source_key) WHERE (source IS NOT NULL);
COMMENT ON COLUMN tasks.deleted_at IS 'set while the task is in the trash';

CREATE TABLE tickets (
  hash bytea NOT NULL,
  actor json NOT NULL,
  expires_at timestamp with time zone NOT NULL,
  CONSTRAINT tickets_pkey PRIMARY KEY (hash)
);
COMMENT ON TABLE tickets IS 'single-use admissions of WebSockets';

CREATE TABLE users (
  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  username text NOT NULL,
  username_key text NOT NULL,
  password_hash text NOT NULL,
  role text NOT NULL DEFAULT 'user'::text,
  disabled boolean NOT NULL DEFAULT false,
  token_epoch integer NOT NULL DEFAULT 0,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp with time zone,
  CONSTRAINT users_pkey PRIMARY KEY (id),
  CONSTRAINT users_role_check CHECK ((role = ANY (ARRAY['user'::text, 'admin'::text]))),
  CONSTRAINT users_username_key_key UNIQUE (username_key)
);
CREATE UNIQUE INDEX users_username_key_key ON public.users USING btree (username_key);
COMMENT ON TABLE users IS 'never deleted, only disabled: rows elsewhere name them';
COMMENT ON COLUMN users.username_key IS 'the name without regard to case and Unicode form';
COMMENT ON COLUMN users.token_epoch IS 'grows with password, role and disabling: access tokens of an earlier epoch are void';
