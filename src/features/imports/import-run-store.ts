import { ADMINS_AUDIENCE } from '../../events/audience.ts'
import type { Queryable } from '../../platform/database/database.ts'
import type { ImportCounts, ImportRun, Trigger } from './importer.ts'

const COLUMNS = `id AS run_id, importer, trigger, state, started_at, finished_at,
  created_count, updated_count, skipped_count, error`
const KEPT_DAYS = 30

/** A run of importer $1 that counts as running was cut off, if the caller holds the lock: it has failed, and that is told. */
const CLOSE = `
  WITH cut AS (
    UPDATE import_runs SET state = 'failed', finished_at = clock_timestamp(), error = 'cut off: the process ended'
    WHERE importer = $1 AND state = 'running' RETURNING *
  ), told AS (
    INSERT INTO events (type, audience, data) SELECT 'background_task_failed', ${ADMINS_AUDIENCE},
      json_build_object('importer', importer, 'run_id', id, 'error', error) FROM cut
  )`

/** Closes a run that was cut off; whether there was one. The caller holds the importer's lock. */
export async function closeCutOff(db: Queryable, importer: string): Promise<boolean> {
  const { rows } = await db.query({ text: `${CLOSE} SELECT FROM cut`, values: [importer] })
  return rows.length > 0
}

/** Records that a run begins, closes one that was cut off, and drops old history. The caller holds the importer's lock. */
export async function beginRun(db: Queryable, importer: string, trigger: Trigger): Promise<number> {
  const { rows } = await db.query<{ id: number }>({
    text: `
      ${CLOSE}, old AS (
        DELETE FROM import_runs WHERE importer = $1 AND state <> 'running'
          AND started_at < now() - make_interval(days => ${KEPT_DAYS})
      )
      INSERT INTO import_runs (importer, trigger) VALUES ($1, $2) RETURNING id`,
    values: [importer, trigger],
  })
  return rows[0]!.id
}

export async function finishRun(db: Queryable, id: number, counts: ImportCounts): Promise<ImportRun> {
  const { rows } = await db.query<ImportRun & object>({
    text: `UPDATE import_runs SET state = 'succeeded', finished_at = clock_timestamp(),
        created_count = $2, updated_count = $3, skipped_count = $4
      WHERE id = $1 AND state = 'running' RETURNING ${COLUMNS}`,
    values: [id, counts.created, counts.updated, counts.skipped],
  })
  // With its connection a run loses its lock; then it is late, and what it has must not be saved.
  if (!rows[0]) throw new Error('the database connection was lost and another run has begun')
  return rows[0]
}

/** Closes a run as failed; undefined when another run has closed it already. */
export async function failRun(db: Queryable, id: number, error: string): Promise<ImportRun | undefined> {
  const { rows } = await db.query<ImportRun & object>({
    text: `UPDATE import_runs SET state = 'failed', finished_at = clock_timestamp(), error = $2
      WHERE id = $1 AND state = 'running' RETURNING ${COLUMNS}`,
    values: [id, error],
  })
  return rows[0]
}

export async function findRun(db: Queryable, id: number): Promise<ImportRun> {
  const { rows } = await db.query<ImportRun & object>({
    text: `SELECT ${COLUMNS} FROM import_runs WHERE id = $1`,
    values: [id],
  })
  return rows[0]!
}

/** The run that is under way; undefined when there is none. */
export async function findRunning(db: Queryable, importer: string): Promise<number | undefined> {
  const { rows } = await db.query<{ id: number }>({
    text: `SELECT id FROM import_runs WHERE importer = $1 AND state = 'running' ORDER BY id DESC LIMIT 1`,
    values: [importer],
  })
  return rows[0]?.id
}

/** The newest runs first. */
export async function listImportRuns(db: Queryable, importer: string, limit: number): Promise<ImportRun[]> {
  const { rows } = await db.query<ImportRun & object>({
    text: `SELECT ${COLUMNS} FROM import_runs WHERE importer = $1 ORDER BY id DESC LIMIT $2`,
    values: [importer, limit],
  })
  return rows
}

/** How many seconds ago a run of each importer succeeded last; those of which none has are left out. */
export async function successAges(db: Queryable): Promise<{ importer: string; seconds: number }[]> {
  const { rows } = await db.query<{ importer: string; seconds: number }>({
    text: `SELECT importer, extract(epoch FROM clock_timestamp() - max(finished_at))::float8 AS seconds
      FROM import_runs WHERE state = 'succeeded' GROUP BY importer`,
  })
  return rows
}
