import type { AccessScope, Owned } from '../../core/access-scope.ts'
import { audienceOfUser } from '../../events/audience.ts'
import { scopeCondition } from '../../platform/access/index.ts'
import type { Queryable, Transaction } from '../../platform/database/database.ts'
import type { Weather } from '../weather/index.ts'
import {
  CHANGEABLE,
  type ChangedFields,
  COLUMNS,
  changeRules,
  rowOfValues,
  type TaskRow,
  type TaskValues,
} from './task-columns.ts'

/** The fields to change: `undefined` leaves a field, `null` clears it. */
export interface TaskChanges extends ChangedFields {
  /** Sets the status back to `todo`, if it is `done`. */
  reopen?: boolean
  /** Weather of the city, if it is known by now; taken if the city changes. */
  weather?: Weather | null
}

/** The caller's scope and the versions that may be changed. A row that does not match is left unchanged. */
export interface WriteCondition {
  /** Only a task within this scope. */
  scope: AccessScope
  /** Only one of these versions; undefined: any. */
  versions?: number[] | undefined
}

/** A row as it stands after the statement, whether the statement changed it, and which fields an update changed. */
export type TaskOutcome = TaskRow & { changed: boolean; fields?: string[] }

const values = (row: string) => `(${CHANGEABLE.map((name) => `${row}.${name}`).join(', ')})`
const CHANGED_FIELDS = `array_remove(ARRAY[${CHANGEABLE.map(
  (name) => `CASE WHEN after.${name} IS DISTINCT FROM before.${name} THEN '${name}' END`,
).join(', ')}], NULL)`

/** SQL of the columns as a change leaves them. `updateTask` sends their values after its first five, in this order. */
const AFTER = (() => {
  let count = 5
  const next = () => `$${++count}`
  return changeRules
    .map(({ name, type, change }) => {
      const given = next()
      if (change === 'required') return `coalesce(${given}::${type}, ${name}) AS ${name}`
      if (change === 'nullable')
        return `CASE WHEN ${given} THEN ${next()}::${type} ELSE ${name} END AS ${name}`
      return `CASE WHEN ${given}::${type} IS NOT NULL THEN ${given} WHEN $4 AND status = 'done' THEN 'todo' ELSE status END AS status`
    })
    .join(', ')
})()

// Every statement that changes a task inserts its event too, in one round trip and one transaction.

export async function findTask(db: Queryable, id: number): Promise<TaskRow | undefined> {
  const { rows } = await db.query<TaskValues>({
    name: 'task-find',
    read: 'quick',
    rowMode: 'array',
    text: `SELECT ${COLUMNS} FROM tasks t WHERE t.id = $1 AND t.deleted_at IS NULL`,
    values: [id],
  })
  return rows[0] && rowOfValues(rows[0])
}

/** The owner of a task that is not in the trash; until the transaction ends it neither goes there nor changes. */
export async function lockTask(transaction: Transaction, id: number): Promise<Owned | undefined> {
  const { rows } = await transaction.query<Owned & object>({
    name: 'task-lock',
    text: 'SELECT user_id FROM tasks WHERE id = $1 AND deleted_at IS NULL FOR NO KEY UPDATE',
    values: [id],
  })
  return rows[0]
}

/**
 * Locks these tasks, in the order of their ids whatever that of the batch, so that two batches on the same tasks
 * wait for each other and do not deadlock. `scope` as in a `WriteCondition`.
 */
export async function lockTasks(
  transaction: Transaction,
  ids: readonly number[],
  scope: AccessScope,
): Promise<void> {
  await transaction.query({
    name: 'task-lock-all',
    text: `SELECT FROM tasks WHERE id = ANY ($1) AND deleted_at IS NULL AND ${scopeCondition('$2', 'user_id')}
      ORDER BY id FOR UPDATE`,
    values: [ids, scope.parameter],
  })
}

/**
 * Changes a task if it differs and the guard lets it. A change that changes nothing writes no row
 * and publishes no event.
 */
export async function updateTask(
  db: Queryable,
  id: number,
  changes: TaskChanges,
  guard: WriteCondition,
): Promise<TaskOutcome | undefined> {
  const { rows } = await db.query<TaskOutcome & object>({
    name: 'task-update',
    // `before` takes the row's lock and reads its latest version; all values are derived from it. The row
    // in `tasks` is the one of the statement's snapshot and may be older: nothing is decided by it.
    text: `
      WITH before AS (
        SELECT * FROM tasks WHERE id = $1 AND deleted_at IS NULL FOR UPDATE
      ), after AS (
        SELECT id,
          ${AFTER}
        FROM before
        WHERE ($2::integer[] IS NULL OR version = ANY ($2)) AND ${scopeCondition('$3', 'user_id')}
      ), t AS (
        UPDATE tasks t SET ${CHANGEABLE.map((name) => `${name} = after.${name}`).join(', ')},
          weather = CASE WHEN after.city IS DISTINCT FROM t.city THEN $5::jsonb ELSE t.weather END,
          version = t.version + 1, updated_at = clock_timestamp()
        FROM after JOIN before USING (id)
        WHERE t.id = after.id
          AND ${values('after')} IS DISTINCT FROM ${values('before')}
          -- While a job is pending, the status is its worker's.
          AND (before.job IS NULL OR after.status = before.status OR before.job ->> 'state' NOT IN ('queued', 'running'))
        RETURNING ${COLUMNS}
      ), event AS (
        INSERT INTO events (type, user_id, audience, data)
        SELECT 'task_updated', t.user_id, ${audienceOfUser('t.user_id')}, row_to_json(t) FROM t
      )
      SELECT ${COLUMNS}, true AS changed, ${CHANGED_FIELDS} AS fields
      FROM t JOIN after USING (id) JOIN before USING (id)
      UNION ALL
      SELECT ${COLUMNS}, false, NULL FROM before t WHERE NOT EXISTS (SELECT FROM t)`,
    values: [
      id,
      guard.versions ?? null,
      guard.scope.parameter,
      changes.reopen ?? false,
      changes.weather ?? null,
      ...changeRules.flatMap(({ name, change }) => {
        const value = changes[name] ?? null
        return change === 'nullable' ? [changes[name] !== undefined, value] : [value]
      }),
    ],
  })
  return rows[0]
}

/** Moves a task to the trash if the guard lets it; a job of it that is pending is cancelled. */
export async function trashTask(
  db: Queryable,
  id: number,
  guard: WriteCondition,
): Promise<TaskOutcome | undefined> {
  const { rows } = await db.query<TaskOutcome & object>({
    name: 'task-trash',
    text: `
      WITH before AS (
        SELECT * FROM tasks WHERE id = $1 AND deleted_at IS NULL FOR UPDATE
      ), pending AS (
        SELECT id, (job ->> 'runs')::integer AS run FROM before WHERE job ->> 'state' IN ('queued', 'running')
      ), t AS (
        UPDATE tasks t SET deleted_at = clock_timestamp(), version = t.version + 1,
          status = CASE WHEN pending.id IS NULL THEN before.status ELSE 'failed' END,
          job = CASE WHEN pending.id IS NULL THEN before.job
            ELSE before.job || '{"state": "failed", "error": "cancelled: the task was deleted"}' END
        FROM before LEFT JOIN pending USING (id)
        WHERE t.id = before.id AND ($2::integer[] IS NULL OR before.version = ANY ($2))
          AND ${scopeCondition('$3', 'before.user_id')}
        RETURNING ${COLUMNS}
      ), run AS (
        UPDATE task_runs SET state = 'cancelled', finished_at = clock_timestamp(), error = 'the task was deleted'
        FROM t JOIN pending USING (id)
        WHERE task_runs.task_id = t.id AND number = pending.run AND task_runs.state = 'running'
      ), event AS (
        INSERT INTO events (type, user_id, audience, data)
        SELECT 'task_deleted', t.user_id, ${audienceOfUser('t.user_id')}, json_build_object('task_id', t.id) FROM t
      )
      SELECT ${COLUMNS}, true AS changed FROM t
      UNION ALL
      SELECT ${COLUMNS}, false FROM before t WHERE NOT EXISTS (SELECT FROM t)`,
    values: [id, guard.versions ?? null, guard.scope.parameter],
  })
  return rows[0]
}

/** Takes a task out of the trash if the guard's owner lets it; for those who listen it is created again. */
export async function restoreTask(
  db: Queryable,
  id: number,
  guard: WriteCondition,
): Promise<TaskOutcome | undefined> {
  const { rows } = await db.query<TaskOutcome & object>({
    name: 'task-restore',
    text: `
      WITH before AS (
        SELECT * FROM tasks WHERE id = $1 AND deleted_at IS NOT NULL FOR UPDATE
      ), t AS (
        UPDATE tasks t SET deleted_at = NULL, version = t.version + 1, updated_at = clock_timestamp()
        FROM before WHERE t.id = before.id AND ${scopeCondition('$2', 'before.user_id')}
        RETURNING ${COLUMNS}
      ), event AS (
        INSERT INTO events (type, user_id, audience, data)
        SELECT 'task_created', t.user_id, ${audienceOfUser('t.user_id')}, row_to_json(t) FROM t
      )
      SELECT ${COLUMNS}, true AS changed FROM t
      UNION ALL
      SELECT ${COLUMNS}, false FROM before t WHERE NOT EXISTS (SELECT FROM t)`,
    values: [id, guard.scope.parameter],
  })
  return rows[0]
}

/** Removes for good up to `limit` tasks that have been in the trash for `days`; says how many. */
export async function purgeTrash(db: Queryable, days: number, limit: number): Promise<number> {
  const { rowCount } = await db.query({
    // The condition stands twice: the outer one is of the row as it is once its lock is there, maybe restored.
    text: `DELETE FROM tasks WHERE deleted_at < now() - make_interval(days => $1) AND id IN (
      SELECT id FROM tasks WHERE deleted_at < now() - make_interval(days => $1) LIMIT $2)`,
    values: [days, limit],
  })
  return rowCount ?? 0
}
