CREATE TABLE import_runs (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  importer text NOT NULL,
  trigger text NOT NULL CHECK (trigger IN ('schedule', 'manual')),
  state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'succeeded', 'failed')),
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  created_count integer NOT NULL DEFAULT 0,
  updated_count integer NOT NULL DEFAULT 0,
  skipped_count integer NOT NULL DEFAULT 0,
  error text,
  CHECK ((state = 'running') = (finished_at IS NULL)),
  CHECK ((state = 'failed') = (error IS NOT NULL))
);
CREATE INDEX import_runs_importer ON import_runs (importer, id DESC);

-- What the source said last of each todo: the common ancestor of the three-way merge with local edits.
CREATE TABLE imported_todos (
  key text PRIMARY KEY,
  task_id integer REFERENCES tasks ON DELETE SET NULL,
  title text NOT NULL,
  description text NOT NULL,
  completed boolean NOT NULL,
  local_fields text[] NOT NULL DEFAULT '{}'
);
CREATE INDEX imported_todos_task_id ON imported_todos (task_id);
COMMENT ON COLUMN imported_todos.task_id IS 'null once the task is purged: it does not come back';
COMMENT ON COLUMN imported_todos.local_fields IS 'fields a person edited; the source no longer changes them';
