import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
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
    )`.execute(db)
  await sql`CREATE INDEX import_runs_importer ON import_runs (importer, id DESC)`.execute(db)

  // What the source said last of each todo: the common ancestor of the three-way merge with local edits.
  await sql`
    CREATE TABLE imported_todos (
      key text PRIMARY KEY,
      task_id integer REFERENCES tasks ON DELETE SET NULL,
      title text NOT NULL,
      description text NOT NULL,
      completed boolean NOT NULL,
      local_fields text[] NOT NULL DEFAULT '{}'
    )`.execute(db)
  await sql`CREATE INDEX imported_todos_task_id ON imported_todos (task_id)`.execute(db)
  await sql`COMMENT ON COLUMN imported_todos.task_id IS 'null once the task is purged: it does not come back'`.execute(
    db,
  )
  await sql`COMMENT ON COLUMN imported_todos.local_fields IS 'fields a person edited; the source no longer changes them'`.execute(
    db,
  )
}
