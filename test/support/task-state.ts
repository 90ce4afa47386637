import type { TestApp } from './app.ts'

/** Everything that a change of tasks could have changed. */
export async function stateOf({ database }: TestApp) {
  return {
    tasks: await database.rows('SELECT * FROM tasks ORDER BY id'),
    events: await database.rows('SELECT count(*) AS count FROM events'),
    queued: await database.rows<{ count: number }>(
      "SELECT count(*) AS count FROM pgboss.job WHERE name = 'tasks'",
    ),
  }
}
