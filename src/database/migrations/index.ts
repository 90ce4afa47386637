import type { Migration } from 'kysely/migration'
import { up as tasksAndEvents } from './0001-tasks-and-events.ts'
import { up as imports } from './0002-imports.ts'

/** All migrations in order. Forward only; each is safe while the previous release still runs. */
export const migrations: Record<string, Migration> = {
  '0001-tasks-and-events': { up: tasksAndEvents },
  '0002-imports': { up: imports },
}
