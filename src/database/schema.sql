-- Generated from the migrations by the test suite (npm test -- -u); do not edit.

CREATE TABLE events (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  type text NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT clock_timestamp(),
  user_id integer,
  data json NOT NULL,
  CONSTRAINT events_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE events IS 'outbox: written in the transaction of the change each row tells of; delivered in id order';
COMMENT ON COLUMN events.user_id IS 'owner of what the event tells of; null: nobody in particular';

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

CREATE TABLE schema_migrations (
  name text NOT NULL,
  applied_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT schema_migrations_pkey PRIMARY KEY (name)
);

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
CREATE UNIQUE INDEX tasks_source_key ON public.tasks USING btree (source, source_key) WHERE (source IS NOT NULL);
COMMENT ON COLUMN tasks.deleted_at IS 'set while the task is in the trash';
