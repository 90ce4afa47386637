CREATE TABLE attachments (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  task_id integer REFERENCES tasks ON DELETE SET NULL,
  user_id integer,
  name text NOT NULL CHECK (octet_length(name) BETWEEN 1 AND 255),
  content_type text NOT NULL,
  size bigint NOT NULL CHECK (size >= 0),
  sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  storage_key uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  attached boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX attachments_task_id ON attachments (task_id, id) WHERE task_id IS NOT NULL;
CREATE INDEX attachments_user_id ON attachments (user_id) INCLUDE (size) WHERE attached AND task_id IS NOT NULL;
CREATE INDEX attachments_unwanted ON attachments (id) WHERE task_id IS NULL OR NOT attached;
COMMENT ON TABLE attachments IS 'a row is written before its bytes are stored and goes after they are removed: no bytes without a row';
COMMENT ON COLUMN attachments.task_id IS 'null once it was deleted, or its task purged: its bytes are to be removed, then the row';
COMMENT ON COLUMN attachments.user_id IS 'owner of the task, whose quota it counts against';
COMMENT ON COLUMN attachments.attached IS 'false while the upload is not committed: nobody sees it';
