CREATE TABLE tasks (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 100),
  description text CHECK (char_length(description) <= 10000),
  status text NOT NULL DEFAULT 'todo' CHECK (status IN ('todo', 'in_progress', 'done', 'failed')),
  city text CHECK (char_length(city) BETWEEN 1 AND 100),
  weather jsonb,
  user_id integer,
  source text,
  source_key text,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz,
  deleted_at timestamptz,
  CHECK ((source IS NULL) = (source_key IS NULL))
);
CREATE UNIQUE INDEX tasks_source_key ON tasks (source, source_key) WHERE source IS NOT NULL;
CREATE INDEX tasks_deleted_at ON tasks (deleted_at) WHERE deleted_at IS NOT NULL;
COMMENT ON COLUMN tasks.deleted_at IS 'set while the task is in the trash';

CREATE TABLE events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  type text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  user_id integer,
  data json NOT NULL
);
COMMENT ON TABLE events IS 'outbox: written in the transaction of the change each row tells of; delivered in id order';
COMMENT ON COLUMN events.user_id IS 'owner of what the event tells of; null: nobody in particular';
