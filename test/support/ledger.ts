import { isDeepStrictEqual } from 'node:util'
import type { Client } from 'pg'
import type { ToldEvent } from './listener.ts'
import type { Entry, Task } from './writers.ts'

interface Row {
  id: number
  title: string
  description: string | null
  status: string
  version: number
  deleted: boolean
}

export interface StoredEvent {
  id: string
  type: string
  data: { id?: number; task_id?: number; version?: number; description?: string | null; status?: string }
}

/**
 * Compares what the writers were told with what is in the tables; returns every contradiction in words.
 * `theirs` says in SQL which tasks the writers made, if others are there too.
 */
export async function audit(client: Client, entries: readonly Entry[], theirs = 'true') {
  // One snapshot for both.
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
  const tasks = await client.query<Row>(
    `SELECT id, title, description, status, version, deleted_at IS NOT NULL AS deleted FROM tasks
     WHERE ${theirs} ORDER BY id`,
  )
  const events = await client.query<StoredEvent>(
    `SELECT id, type, data FROM events WHERE type IN ('task_created', 'task_updated', 'task_deleted')
       AND coalesce(data->>'id', data->>'task_id')::int NOT IN (SELECT id FROM tasks WHERE NOT (${theirs}))
     ORDER BY events.id`,
  )
  await client.query('COMMIT')
  return {
    rows: tasks.rows,
    events: events.rows,
    problems: [...lostWrites(tasks.rows, entries), ...wrongEvents(tasks.rows, events.rows)],
  }
}

/** Every acknowledged change is there, and of those without an answer all or nothing. */
function lostWrites(rows: readonly Row[], entries: readonly Entry[]): string[] {
  const problems: string[] = []
  const byTitle = Map.groupBy(rows, ({ title }) => title)
  for (const { title, id, state, version, doubtful } of entries) {
    const found = byTitle.get(title) ?? []
    byTitle.delete(title)
    const [row] = found
    if (found.length > 1) problems.push(`"${title}" was created ${found.length} times`)
    if (!row) {
      if (id !== undefined) problems.push(`"${title}" (id ${id}) is lost`)
      continue
    }
    const { description, status, deleted } = row
    const made = row.version === version + 1 ? doubtful : row.version === version ? state : undefined
    if ((id !== undefined && row.id !== id) || !isDeepStrictEqual({ description, status, deleted }, made))
      problems.push(
        `"${title}" is ${JSON.stringify(row)}, acknowledged was ${version}: ${JSON.stringify(state)}`,
      )
  }
  for (const title of byTitle.keys()) problems.push(`"${title}" was made by nobody`)
  return problems
}

/** Each change has one event, in order, and each event its change. */
function wrongEvents(rows: readonly Row[], events: readonly StoredEvent[]): string[] {
  const problems: string[] = []
  const byTask = Map.groupBy(events, ({ data }) => data.id ?? data.task_id)
  for (const row of rows) {
    const own = byTask.get(row.id) ?? []
    byTask.delete(row.id)
    if (own.length !== row.version)
      problems.push(`task ${row.id}: ${own.length} events of ${row.version} changes`)
    own.forEach(({ type, data }, index) => {
      const created = index === 0 || own[index - 1]!.type === 'task_deleted'
      const right =
        type === 'task_deleted'
          ? !created
          : data.version === index + 1 && type === (created ? 'task_created' : 'task_updated')
      if (!right) problems.push(`task ${row.id}: its event ${index + 1} is ${type} ${JSON.stringify(data)}`)
    })
    const last = own.at(-1)
    const same =
      row.deleted === (last?.type === 'task_deleted') &&
      (row.deleted || (last?.data.description === row.description && last.data.status === row.status))
    if (!same) problems.push(`task ${row.id} is not as its last event says: ${JSON.stringify(last)}`)
  }
  for (const id of byTask.keys()) problems.push(`events of task ${id}, which does not exist`)
  return problems
}

/**
 * Compares what a socket was told with the stored events after `after`: the same, in order, without a
 * hole, each once. Only the end may be missing, and only if the client was cut off (`complete: false`).
 */
export function wronglyTold(
  told: readonly ToldEvent[],
  stored: readonly StoredEvent[],
  { after, complete }: { after: number; complete: boolean },
): string[] {
  const expected = stored.filter(({ id }) => Number(id) > after)
  const problems: string[] = []
  if (complete ? told.length !== expected.length : told.length > expected.length)
    problems.push(`${told.length} events were told of ${expected.length}`)
  told.forEach(({ id, type, data }, index) => {
    const should = expected[index]
    const version = data.task?.version
    const task = data.task?.id ?? data.task_id
    if (id !== should?.id || type !== should.type || version !== should.data.version)
      problems.push(`event ${index}: told ${id} ${type} ${version}, stored ${JSON.stringify(should)}`)
    else if (task !== (should.data.id ?? should.data.task_id))
      problems.push(`event ${id} tells of task ${task}`)
  })
  return problems.slice(0, 5)
}

/** What REST shows of the tasks whose state is not in doubt, against the last acknowledged answers. */
export async function wronglyShown(url: string, entries: readonly Entry[]): Promise<string[]> {
  const shown = new Map<number, Task>()
  for (let skip = 0; ; skip += 1000) {
    const response = await fetch(`${url}/tasks?limit=1000&skip=${skip}`)
    const page = (await response.json()) as Task[]
    for (const task of page) shown.set(task.id, task)
    if (page.length < 1000) break
  }
  return entries
    .filter(({ id, doubtful }) => id !== undefined && !doubtful)
    .filter(({ id, state, task }) =>
      state!.deleted ? shown.has(id!) : !isDeepStrictEqual(shown.get(id!), task),
    )
    .map(
      ({ id, task }) => `task ${id}: shown ${JSON.stringify(shown.get(id!))}, told ${JSON.stringify(task)}`,
    )
}
