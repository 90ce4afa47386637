import { type Caller, caller } from '../../core/actor.ts'
import type { StoredEvent } from '../../events/event-types.ts'
import type { Database, Transaction } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { TaskRow } from './task-columns.ts'
import type { TaskWeather } from './weather/task-weather.ts'

/** The effects that run after the commit of a change to tasks; an absent one is skipped. */
export interface TaskEffects {
  /** Wakes the relay; takes the events if they are all that one transaction wrote. */
  changed?: (events?: readonly StoredEvent[]) => void
  /** Wakes the job workers, because a job was queued or has to stop. */
  wakeWorkers?: () => void
  /** Requests the weather that a task lacks. */
  weather?: Pick<TaskWeather, 'written'>
  log?: Logger
}

export type TaskChangeKind = 'created' | 'updated' | 'replaced' | 'deleted' | 'restored'

/** Registers the effects of a change to one task, except for waking the relay. `fields` are those that were set. */
export function afterTaskChange(
  db: Database | Transaction,
  { wakeWorkers, weather, log }: TaskEffects,
  by: Caller,
  { kind, row, fields }: { kind: TaskChangeKind; row: TaskRow; fields?: readonly string[] | undefined },
): void {
  if (log) db.afterCommit(() => log.info({ ...caller(by), taskId: row.id, fields }, `task ${kind}`))
  // A new task may bring a job, and the job of a deleted one has to stop; other changes leave jobs alone.
  if (wakeWorkers && row.job && (kind === 'created' || kind === 'deleted')) db.afterCommit(wakeWorkers)
  // A task in the trash gets no weather.
  if (weather && kind !== 'deleted') db.afterCommit(() => weather.written(row))
}
