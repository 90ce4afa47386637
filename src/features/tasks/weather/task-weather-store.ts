import { audienceOfUser } from '../../../events/audience.ts'
import type { Queryable } from '../../../platform/database/database.ts'
import type { Weather } from '../../weather/index.ts'
import { COLUMNS } from '../task-columns.ts'

/** A city, as it is written in tasks that wait for its weather, and those tasks. */
export interface DueCity {
  city: string
  ids: number[]
}

/** Beyond that, the weather of now is no longer that of the task. */
const WORTH_FILLING = "interval '1 day'"
const FIRST_PAUSE = "interval '30 seconds'"

// A row in `tasks` that the statements below wait for may have changed by then: what they ask of it is asked of
// its latest version, so that a task gets the weather of the city that it has, and never another's in its place.

/** Up to `limit` tasks whose weather is due, by their cities, those first that wait longest. */
export async function dueWeather(db: Queryable, limit: number): Promise<DueCity[]> {
  const { rows } = await db.query<DueCity & object>({
    name: 'weather-due',
    text: `
      SELECT city, array_agg(id) AS ids FROM (
        SELECT id, city, weather_due_at FROM tasks
        WHERE weather_due_at BETWEEN now() - ${WORTH_FILLING} AND now() AND deleted_at IS NULL
          AND city IS NOT NULL AND weather IS NULL
        ORDER BY weather_due_at LIMIT $1
      ) due GROUP BY city ORDER BY min(weather_due_at)`,
    values: [limit],
  })
  return rows
}

/** Gives the tasks the weather of their city, with an event of each; says how many still waited for it. */
export async function fillWeather(db: Queryable, { city, ids }: DueCity, weather: Weather): Promise<number> {
  const { rowCount } = await db.query({
    name: 'weather-fill',
    text: `
      WITH t AS (
        UPDATE tasks AS t SET weather = $3, version = version + 1, updated_at = clock_timestamp()
        WHERE id = ANY ($1) AND city = $2 AND weather IS NULL AND deleted_at IS NULL
        RETURNING ${COLUMNS}
      )
      INSERT INTO events (type, user_id, audience, data)
      SELECT 'task_updated', t.user_id, ${audienceOfUser('t.user_id')}, row_to_json(t) FROM t ORDER BY t.id`,
    values: [ids, city, weather],
  })
  return rowCount ?? 0
}

/** The provider knows no such city: its weather is not looked for again. */
export async function forgetWeather(db: Queryable, { city, ids }: DueCity): Promise<void> {
  await db.query({
    name: 'weather-forget',
    text: 'UPDATE tasks SET weather_due_at = NULL WHERE id = ANY ($1) AND city = $2',
    values: [ids, city],
  })
}

/**
 * There is no weather of the city now. Each pause is as long as the task has waited in all, which is twice the
 * last one: a dozen attempts within a day, and none after it.
 */
export async function postponeWeather(db: Queryable, { city, ids }: DueCity): Promise<void> {
  await db.query({
    name: 'weather-postpone',
    text: `
      UPDATE tasks SET weather_due_at = CASE WHEN waited < ${WORTH_FILLING} THEN now() + greatest(waited, ${FIRST_PAUSE}) END
      FROM (SELECT id, now() - coalesce(updated_at, created_at) AS waited FROM tasks WHERE id = ANY ($1)) AS waiting
      WHERE tasks.id = waiting.id AND city = $2 AND weather IS NULL`,
    values: [ids, city],
  })
}
