ALTER TABLE tasks ADD COLUMN job jsonb;
COMMENT ON COLUMN tasks.job IS 'of an executable task: its job as it is shown, and with it the ticket in the queue and the number of runs; null: a task of people';
CREATE INDEX tasks_job_state ON tasks ((job ->> 'state'), id) WHERE job IS NOT NULL;

CREATE TABLE job_secrets (
  task_id integer PRIMARY KEY REFERENCES tasks ON DELETE CASCADE,
  input jsonb NOT NULL
);
COMMENT ON TABLE job_secrets IS 'inputs as they were given, of jobs whose shown input leaves something out; nothing but the worker reads them';

CREATE TABLE task_runs (
  task_id integer REFERENCES tasks ON DELETE CASCADE,
  number integer,
  attempt integer NOT NULL,
  state text NOT NULL DEFAULT 'running'
    CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled', 'released', 'lost')),
  worker text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  finished_at timestamptz,
  error text,
  PRIMARY KEY (task_id, number),
  CHECK ((state = 'running') = (finished_at IS NULL))
);
CREATE INDEX task_runs_finished_at ON task_runs (finished_at);
COMMENT ON TABLE task_runs IS 'every attempt at a job; the number only grows, so it fences what comes late';

CREATE TABLE message_inbox (
  message_id text PRIMARY KEY,
  received_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX message_inbox_received_at ON message_inbox (received_at);
COMMENT ON TABLE message_inbox IS 'messages that have become tasks, written with them: one that is delivered again makes no second';
