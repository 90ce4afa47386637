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

CREATE TABLE attachments (
  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  task_id integer,
  user_id integer,
  name text NOT NULL,
  content_type text NOT NULL,
  size bigint NOT NULL,
  sha256 bytea NOT NULL,
  storage_key uuid NOT NULL DEFAULT gen_random_uuid(),
  attached boolean NOT NULL DEFAULT false,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT attachments_name_check CHECK (((octet_length(name) >= 1) AND (octet_length(name) <= 255))),
  CONSTRAINT attachments_pkey PRIMARY KEY (id),
  CONSTRAINT attachments_sha256_check CHECK ((octet_length(sha256) = 32)),
  CONSTRAINT attachments_size_check CHECK ((size >= 0)),
  CONSTRAINT attachments_storage_key_key UNIQUE (storage_key),
  CONSTRAINT attachments_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE SET NULL
);
CREATE INDEX attachments_task_id ON public.attachments USING btree (task_id, id) WHERE (task_id IS NOT NULL);
CREATE INDEX attachments_unwanted ON public.attachments USING btree (id) WHERE ((task_id IS NULL) OR (NOT attached));
CREATE INDEX attachments_user_id ON public.attachments USING btree (user_id) INCLUDE (size) WHERE (attached AND (task_id IS NOT NULL));
CREATE UNIQUE INDEX attachments_storage_key_key ON public.attachments USING btree (storage_key);
COMMENT ON TABLE attachments IS 'a row is written before its bytes are stored and goes after they are removed: no bytes without a row';
COMMENT ON COLUMN attachments.task_id IS 'null once it was deleted, or its task purged: its bytes are to be removed, then the row';
COMMENT ON COLUMN attachments.user_id IS 'owner of the task, whose quota it counts against';
COMMENT ON COLUMN attachments.attached IS 'false while the upload is not committed: nobody sees it';

CREATE TABLE calendar_feeds (
  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  user_id integer NOT NULL,
  name text NOT NULL,
  token_hash bytea NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  last_used_at timestamp with time zone,
  CONSTRAINT calendar_feeds_pkey PRIMARY KEY (id),
  CONSTRAINT calendar_feeds_token_hash_key UNIQUE (token_hash),
  CONSTRAINT calendar_feeds_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id)
);
CREATE INDEX calendar_feeds_user_id ON public.calendar_feeds USING btree (user_id);
CREATE UNIQUE INDEX calendar_feeds_token_hash_key ON public.calendar_feeds USING btree (token_hash);
COMMENT ON TABLE calendar_feeds IS 'addresses by which calendars read the tasks of a user, and nothing else';
COMMENT ON COLUMN calendar_feeds.token_hash IS 'SHA-256; the token has 256 random bits, so it needs no salt';

CREATE TABLE currencies (
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  code text NOT NULL,
  rate numeric NOT NULL,
  nominal integer NOT NULL,
  name text,
  source text NOT NULL,
  rated_at timestamp with time zone NOT NULL,
  version integer NOT NULL DEFAULT 1,
  CONSTRAINT currencies_code_check CHECK (((code ~ '^[A-Z]{3}$'::text) AND (code <> 'RUB'::text))),
  CONSTRAINT currencies_code_key UNIQUE (code),
  CONSTRAINT currencies_name_check CHECK (((char_length(name) >= 1) AND (char_length(name) <= 100))),
  CONSTRAINT currencies_nominal_check CHECK (((nominal >= 1) AND (nominal <= 10000))),
  CONSTRAINT currencies_pkey PRIMARY KEY (id),
  CONSTRAINT currencies_rate_check CHECK (((rate >= 0.000000000001) AND (rate <= '1000000000000'::numeric))),
  CONSTRAINT currencies_source_check CHECK ((source = ANY (ARRAY['cbr'::text, 'manual'::text, 'remote'::text])))
);
CREATE UNIQUE INDEX currencies_code_key ON public.currencies USING btree (code);
COMMENT ON COLUMN currencies.rate IS 'roubles for one unit, exact';
COMMENT ON COLUMN currencies.nominal IS 'for how many units the bank quotes it; for people, the rate is of one';
COMMENT ON COLUMN currencies.rated_at IS 'of an official rate the beginning of its day in UTC, of others the moment they were set';

CREATE TABLE currency_days (
  day date NOT NULL,
  CONSTRAINT currency_days_pkey PRIMARY KEY (day)
);
COMMENT ON TABLE currency_days IS 'days whose official rates were asked for: the back-fill goes on with the others';

CREATE TABLE currency_rates (
  currency_id uuid NOT NULL,
  at timestamp with time zone NOT NULL,
  source text NOT NULL,
  rate numeric NOT NULL,
  CONSTRAINT currency_rates_currency_id_fkey FOREIGN KEY (currency_id) REFERENCES currencies(id) ON DELETE CASCADE,
  CONSTRAINT currency_rates_pkey PRIMARY KEY (currency_id, at, source),
  CONSTRAINT currency_rates_rate_check CHECK (((rate >= 0.000000000001) AND (rate <= '1000000000000'::numeric))),
  CONSTRAINT currency_rates_source_check CHECK ((source = ANY (ARRAY['cbr'::text, 'manual'::text, 'remote'::text])))
);
COMMENT ON TABLE currency_rates IS 'history: every rate that a currency has had, and official ones of the days before';

CREATE TABLE event_feeds (
  name text NOT NULL,
  "position" bigint NOT NULL,
  CONSTRAINT event_feeds_pkey PRIMARY KEY (name)
);
COMMENT ON TABLE event_feeds IS 'up to which event id each consumer inside the system has taken the events';

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
  audience text,
  CONSTRAINT events_pkey PRIMARY KEY (id)
);
CREATE INDEX events_of_currencies ON public.events USING btree (id) WHERE (type = ANY (ARRAY['currency_created'::text, 'currency_updated'::text, 'currency_deleted'::text, 'add_data_from_remote_source'::text]));
CREATE INDEX events_user_id ON public.events USING btree (user_id, id) WHERE (user_id IS NOT NULL);
COMMENT ON TABLE events IS 'outbox: written in the transaction of the change each row tells of; delivered in id order';
COMMENT ON COLUMN events.user_id IS 'owner of what the event tells of; null: nobody in particular';
COMMENT ON COLUMN events.audience IS 'who may receive it: public, user:<id> or admins; null: follows from type and user_id';

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

CREATE TABLE imported_currencies (
  code text NOT NULL,
  date date NOT NULL,
  rate numeric NOT NULL,
  nominal integer NOT NULL,
  name text NOT NULL,
  CONSTRAINT imported_currencies_pkey PRIMARY KEY (code)
);
COMMENT ON TABLE imported_currencies IS 'a currency that was deleted stays here, so that it does not come back';

CREATE TABLE imported_todos (
  key text NOT NULL,
  task_id integer,
  title text NOT NULL,
  description text NOT NULL,
  completed boolean NOT NULL,
  local_fields text[] NOT NULL DEFAULT '{}'::text[],
  CONSTRAINT imported_todos_pkey PRIMARY KEY (key)
);
COMMENT ON COLUMN imported_todos.task_id IS 'maybe of a task that was purged since: it does not come back';
COMMENT ON COLUMN imported_todos.local_fields IS 'fields a person edited; the source no longer changes them';

CREATE TABLE installation (
  only_row boolean NOT NULL DEFAULT true,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  CONSTRAINT installation_only_row_check CHECK (only_row),
  CONSTRAINT installation_pkey PRIMARY KEY (only_row)
);
COMMENT ON TABLE installation IS 'by which name the processes on this database are one to others; made at the first use';

CREATE TABLE job_secrets (
  task_id integer NOT NULL,
  input jsonb NOT NULL,
  CONSTRAINT job_secrets_pkey PRIMARY KEY (task_id),
  CONSTRAINT job_secrets_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE CASCADE
);
COMMENT ON TABLE job_secrets IS 'inputs as they were given, of jobs whose shown input leaves something out; nothing but the worker reads them';

CREATE TABLE message_inbox (
  message_id text NOT NULL,
  received_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT message_inbox_pkey PRIMARY KEY (message_id)
);
CREATE INDEX message_inbox_received_at ON public.message_inbox USING btree (received_at);
COMMENT ON TABLE message_inbox IS 'messages that have become tasks, written with them: one that is delivered again makes no second';

CREATE TABLE nats_inbox (
  message text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  CONSTRAINT nats_inbox_pkey PRIMARY KEY (message)
);
CREATE INDEX nats_inbox_at ON public.nats_inbox USING btree (at);
COMMENT ON TABLE nats_inbox IS 'messages that were taken, written in the transaction that takes them: one that comes again is known';

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

CREATE TABLE task_labels (
  label text COLLATE "C" NOT NULL,
  task_id integer NOT NULL,
  CONSTRAINT task_labels_pkey PRIMARY KEY (label, task_id)
);
COMMENT ON TABLE task_labels IS 'an index on tasks.labels, kept by triggers';

CREATE TABLE task_runs (
  task_id integer NOT NULL,
  number integer NOT NULL,
  attempt integer NOT NULL,
  state text NOT NULL DEFAULT 'running'::text,
  worker text NOT NULL,
  started_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamp with time zone,
  error text,
  CONSTRAINT task_runs_check CHECK (((state = 'running'::text) = (finished_at IS NULL))),
  CONSTRAINT task_runs_pkey PRIMARY KEY (task_id, number),
  CONSTRAINT task_runs_state_check CHECK ((state = ANY (ARRAY['running'::text, 'succeeded'::text, 'failed'::text, 'cancelled'::text, 'released'::text, 'lost'::text]))),
  CONSTRAINT task_runs_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(id) ON DELETE CASCADE
);
CREATE INDEX task_runs_finished_at ON public.task_runs USING btree (finished_at);
COMMENT ON TABLE task_runs IS 'every attempt at a job; the number only grows, so it fences what comes late';

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
  job jsonb,
  priority task_priority NOT NULL DEFAULT 'none'::task_priority,
  due_at timestamp with time zone,
  labels text[] NOT NULL DEFAULT '{}'::text[],
  "position" text COLLATE "C" NOT NULL DEFAULT task_place((nextval('task_places_last'::regclass))::integer),
  done_at timestamp with time zone,
  weather_due_at timestamp with time zone,
  search tsvector NOT NULL,
  CONSTRAINT tasks_check CHECK (((source IS NULL) = (source_key IS NULL))),
  CONSTRAINT tasks_city_check CHECK (((char_length(city) >= 1) AND (char_length(city) <= 100))),
  CONSTRAINT tasks_description_check CHECK ((char_length(description) <= 10000)),
  CONSTRAINT tasks_labels_check CHECK ((cardinality(labels) <= 20)),
  CONSTRAINT tasks_pkey PRIMARY KEY (id),
  CONSTRAINT tasks_status_check CHECK ((status = ANY (ARRAY['todo'::text, 'in_progress'::text, 'done'::text, 'failed'::text]))),
  CONSTRAINT tasks_title_check CHECK (((char_length(title) >= 1) AND (char_length(title) <= 100)))
);
CREATE INDEX tasks_city ON public.tasks USING btree (lower(city), id) INCLUDE (city) WHERE ((deleted_at IS NULL) AND (city IS NOT NULL));
CREATE INDEX tasks_created_among ON public.tasks USING btree (((id >> 12)), created_at) INCLUDE (id) WHERE (deleted_at IS NULL);
CREATE INDEX tasks_created_at ON public.tasks USING btree (created_at, id) WHERE (deleted_at IS NULL);
CREATE INDEX tasks_deleted_at ON public.tasks USING btree (deleted_at) WHERE (deleted_at IS NOT NULL);
CREATE INDEX tasks_done_at ON public.tasks USING btree (done_at) INCLUDE (created_at) WHERE ((done_at IS NOT NULL) AND (deleted_at IS NULL));
CREATE INDEX tasks_due_at ON public.tasks USING btree (due_at, id) INCLUDE (status) WHERE ((deleted_at IS NULL) AND (due_at IS NOT NULL));
CREATE INDEX tasks_job_state ON public.tasks USING btree (((job ->> 'state'::text)), id) WHERE (job IS NOT NULL);
CREATE INDEX tasks_position ON public.tasks USING btree ("position", id);
CREATE INDEX tasks_priority ON public.tasks USING btree (priority, id) WHERE ((deleted_at IS NULL) AND (priority <> 'none'::task_priority));
CREATE INDEX tasks_search ON public.tasks USING gin (search) WITH (gin_pending_list_limit='256') WHERE (deleted_at IS NULL);
CREATE INDEX tasks_status ON public.tasks USING btree (status, id) WHERE (deleted_at IS NULL);
CREATE INDEX tasks_user_id ON public.tasks USING btree (user_id, id) WHERE ((user_id IS NOT NULL) AND (deleted_at IS NULL));
CREATE INDEX tasks_weather_due_at ON public.tasks USING btree (weather_due_at) WHERE ((weather_due_at IS NOT NULL) AND (deleted_at IS NULL));
CREATE UNIQUE INDEX tasks_source_key ON public.tasks USING btree (source, source_key) WHERE (source IS NOT NULL);
CREATE TRIGGER tasks_city BEFORE UPDATE OF city, weather ON public.tasks FOR EACH ROW WHEN (((new.city IS DISTINCT FROM old.city) OR (new.weather IS DISTINCT FROM old.weather))) EXECUTE FUNCTION tasks_note_weather();
CREATE TRIGGER tasks_done BEFORE UPDATE OF status ON public.tasks FOR EACH ROW WHEN (((new.status = 'done'::text) <> (old.status = 'done'::text))) EXECUTE FUNCTION tasks_note_done();
CREATE TRIGGER tasks_labels AFTER UPDATE OF labels, deleted_at ON public.tasks FOR EACH ROW WHEN ((((new.labels IS DISTINCT FROM old.labels) OR (new.deleted_at IS DISTINCT FROM old.deleted_at)) AND ((new.labels <> '{}'::text[]) OR (old.labels <> '{}'::text[])))) EXECUTE FUNCTION tasks_note_labels();
CREATE TRIGGER tasks_made_done BEFORE INSERT ON public.tasks FOR EACH ROW WHEN ((new.status = 'done'::text)) EXECUTE FUNCTION tasks_note_done();
CREATE TRIGGER tasks_made_with_city BEFORE INSERT ON public.tasks FOR EACH ROW WHEN ((new.city IS NOT NULL)) EXECUTE FUNCTION tasks_note_weather();
CREATE TRIGGER tasks_made_with_labels AFTER INSERT ON public.tasks FOR EACH ROW WHEN ((new.labels <> '{}'::text[])) EXECUTE FUNCTION tasks_note_labels();
CREATE TRIGGER tasks_made_with_words BEFORE INSERT ON public.tasks FOR EACH ROW EXECUTE FUNCTION tasks_note_words();
CREATE TRIGGER tasks_removed_with_labels AFTER DELETE ON public.tasks FOR EACH ROW WHEN (((old.labels <> '{}'::text[]) AND (old.deleted_at IS NULL))) EXECUTE FUNCTION tasks_note_labels();
CREATE TRIGGER tasks_words BEFORE UPDATE OF title, description ON public.tasks FOR EACH ROW WHEN (((new.title <> old.title) OR (new.description IS DISTINCT FROM old.description))) EXECUTE FUNCTION tasks_note_words();
COMMENT ON COLUMN tasks.deleted_at IS 'set while the task is in the trash';
COMMENT ON COLUMN tasks.job IS 'of an executable task: its job as it is shown, and with it the ticket in the queue and the number of runs; null: a task of people';
COMMENT ON COLUMN tasks."position" IS 'a fraction in base 36: a task is moved by giving it one between those of its new neighbours';
COMMENT ON COLUMN tasks.done_at IS 'since when it has been done; null while it is not. That of tasks that were made done is created_at';
COMMENT ON COLUMN tasks.weather_due_at IS 'when the weather of its city is to be looked for again; null: it has it, has no city, or nobody knows it';
COMMENT ON COLUMN tasks.search IS 'the words of title and description; kept by a trigger';

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

CREATE TABLE webhook_deliveries (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  webhook_id integer NOT NULL,
  event_id text NOT NULL,
  event_user_id integer,
  type text NOT NULL,
  body text NOT NULL,
  state text NOT NULL DEFAULT 'waiting'::text,
  attempts integer NOT NULL DEFAULT 0,
  tries integer NOT NULL DEFAULT 0,
  response_status integer,
  error text,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  last_attempt_at timestamp with time zone,
  next_attempt_at timestamp with time zone,
  finished_at timestamp with time zone,
  event_audience text,
  CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id),
  CONSTRAINT webhook_deliveries_state_check CHECK ((state = ANY (ARRAY['waiting'::text, 'delivered'::text, 'failed'::text]))),
  CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES webhooks(id) ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON public.webhook_deliveries USING btree (webhook_id, next_attempt_at, id) WHERE (state = 'waiting'::text);
CREATE INDEX webhook_deliveries_webhook_id ON public.webhook_deliveries USING btree (webhook_id, id);
COMMENT ON TABLE webhook_deliveries IS 'one row for each event of each webhook that gets it; a job in the schema pgboss works off what is due at one webhook';
COMMENT ON COLUMN webhook_deliveries.body IS 'the envelope as it was told: the event may be purged before the last attempt';
COMMENT ON COLUMN webhook_deliveries.tries IS 'failed attempts since the first, or since a redelivery';
COMMENT ON COLUMN webhook_deliveries.event_audience IS 'audience of the event; null: follows from type and event_user_id';

CREATE TABLE webhooks (
  id integer NOT NULL GENERATED ALWAYS AS IDENTITY,
  user_id integer,
  url text NOT NULL,
  types text[],
  description text,
  enabled boolean NOT NULL DEFAULT true,
  disabled_reason text,
  failing_since timestamp with time zone,
  paused_until timestamp with time zone,
  after_event bigint NOT NULL DEFAULT 0,
  secret bytea NOT NULL,
  old_secret bytea,
  old_secret_until timestamp with time zone,
  created_at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  updated_at timestamp with time zone,
  CONSTRAINT webhooks_pkey PRIMARY KEY (id),
  CONSTRAINT webhooks_user_id_fkey FOREIGN KEY (user_id) REFERENCES users(id)
);
CREATE INDEX webhooks_user_id ON public.webhooks USING btree (user_id);
COMMENT ON COLUMN webhooks.user_id IS 'whose events it gets; null: the local operator''s, who gets all';
COMMENT ON COLUMN webhooks.types IS 'null: every type';
COMMENT ON COLUMN webhooks.failing_since IS 'the first failure after the last success';
COMMENT ON COLUMN webhooks.paused_until IS 'the receiver did not answer, or asked for time';
COMMENT ON COLUMN webhooks.after_event IS 'events up to this id were there before it';
COMMENT ON COLUMN webhooks.secret IS 'encrypted with a key derived from SECRET_KEY';
COMMENT ON COLUMN webhooks.old_secret IS 'signs along until old_secret_until';

CREATE OR REPLACE FUNCTION task_id_of_period(since timestamp with time zone, until timestamp with time zone, backwards boolean)
 RETURNS integer
 LANGUAGE plpgsql
 STABLE PARALLEL SAFE
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
AS $function$
BEGIN
  RETURN (
    SELECT CASE WHEN backwards THEN max(id) ELSE min(id) END FROM (
      SELECT id FROM tasks
      WHERE deleted_at IS NULL AND created_at BETWEEN since AND until AND id >> 12 = (
        SELECT CASE WHEN backwards THEN max(block) ELSE min(block) END
        FROM generate_series(0, (SELECT max(id) >> 12 FROM tasks)) AS block,
          -- LIMIT keeps it a look for each; PostgreSQL would make a join of EXISTS, and read the whole period.
          LATERAL (
            SELECT FROM tasks
            WHERE deleted_at IS NULL AND created_at BETWEEN since AND until AND id >> 12 = block LIMIT 1
          ) AS one
      )
      -- OFFSET keeps it to that index: by the one on ids alone, PostgreSQL would pass all ids before those.
      OFFSET 0
    ) AS among
  );
END
$function$;

CREATE OR REPLACE FUNCTION task_place(n integer)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$ SELECT lpad(to_hex(2147483648 + n), 8, '0') || 'i' $function$;

CREATE OR REPLACE FUNCTION tasks_note_done()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  NEW.done_at := CASE WHEN NEW.status <> 'done' THEN NULL
    WHEN TG_OP = 'INSERT' THEN NEW.created_at ELSE clock_timestamp() END;
  RETURN NEW;
END
$function$;

CREATE OR REPLACE FUNCTION tasks_note_labels()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
  before text[] := '{}';
  after text[] := '{}';
BEGIN
  IF TG_OP <> 'INSERT' AND OLD.deleted_at IS NULL THEN before := OLD.labels; END IF;
  IF TG_OP <> 'DELETE' AND NEW.deleted_at IS NULL THEN after := NEW.labels; END IF;
  DELETE FROM task_labels WHERE label = ANY (before) AND label <> ALL (after) AND task_id = OLD.id;
  INSERT INTO task_labels SELECT DISTINCT label, NEW.id FROM unnest(after) AS label WHERE label <> ALL (before);
  RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION tasks_note_weather()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
  NEW.weather_due_at := CASE WHEN NEW.city IS NOT NULL AND NEW.weather IS NULL THEN clock_timestamp() END;
  RETURN NEW;
END
$function$;

CREATE OR REPLACE FUNCTION tasks_note_words()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
  punctuation CONSTANT text := '[-!"#$%&''()*+,./:;<=>?@[\\\]^_`{|}~]+';
  title text := replace(replace(regexp_replace(NEW.title, punctuation, ' ', 'g'), 'ё', 'е'), 'Ё', 'Е');
  description text := replace(replace(regexp_replace(NEW.description, punctuation, ' ', 'g'), 'ё', 'е'), 'Ё', 'Е');
BEGIN
  NEW.search := setweight(to_tsvector('task_words', title) || to_tsvector('simple', title), 'A');
  IF description <> '' THEN
    NEW.search := NEW.search || to_tsvector('task_words', description) || to_tsvector('simple', description);
  END IF;
  RETURN NEW;
END
$function$;

-- text search configuration task_words: asciihword, asciiword, hword_asciipart by task_english (language = 'english')
-- text search configuration task_words: email, file, float, host, hword_numpart, int, numhword, numword, sfloat, uint, url, url_path, version by simple ()
-- text search configuration task_words: hword, hword_part, word by task_russian (language = 'russian')
