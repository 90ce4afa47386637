import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../src/core/actor.ts'
import { analyticsFor } from '../../src/features/analytics/index.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

/** Analytics beside a plain model in memory, whose calendar is that of `Intl`. */

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await database.rows(
    `INSERT INTO users (id, username, username_key, password_hash) OVERRIDING SYSTEM VALUE
     SELECT n, 'user' || n, 'user' || n, 'x' FROM generate_series(1, 3) n`,
  )
})
afterAll(() => database[Symbol.asyncDispose]())

interface Task {
  /** Milliseconds since 1970. */
  created: number
  /** undefined: it is not done. */
  done: number | undefined
  status: string
  user: number | null
  deleted: boolean
}

/** Days begin at odd times there: twice, an hour late, not at all, by half and quarter hours, a minute past. */
const zones = [
  'UTC',
  'Europe/Moscow',
  'America/New_York',
  'America/Havana',
  'Asia/Beirut',
  'America/Santiago',
  'Asia/Kathmandu',
  'Australia/Lord_Howe',
  'America/St_Johns',
  'Pacific/Apia',
  'Pacific/Kiritimati',
  'Pacific/Pago_Pago',
  'CET',
]
/** Changes of these clocks. */
const turns = [
  '2024-11-03T05:00:00Z',
  '2024-03-31T00:00:00+02:00',
  '2024-09-08T04:00:00Z',
  '2025-03-09T07:00:00Z',
  '2025-04-05T15:00:00Z',
  '2010-11-07T00:01:00-02:30',
  '2011-12-30T10:00:00Z',
  '2025-03-30T01:00:00Z',
].map((text) => Date.parse(text))

const HOUR = 3_600_000
/** Around midnights and changes of clocks, to the second. */
const instant = fc
  .tuple(
    fc.constantFrom(...turns),
    fc.integer({ min: -50, max: 50 }),
    fc.constantFrom(-1000, 0, 1000, 1_800_000),
  )
  .map(([turn, hours, off]) => turn + hours * HOUR + off)
const task: fc.Arbitrary<Task> = fc
  .record({
    created: instant,
    took: fc.option(fc.integer({ min: 0, max: 200 * HOUR }), { nil: undefined, freq: 2 }),
    open: fc.constantFrom('todo', 'in_progress', 'failed'),
    user: fc.constantFrom(null, 1, 2, 3),
    deleted: fc.constantFrom(true, false, false, false),
  })
  .map(({ created, took, open, user, deleted }) => ({
    created,
    done: took === undefined ? undefined : created + took,
    status: took === undefined ? open : 'done',
    user,
    deleted,
  }))
const day = fc
  .tuple(fc.constantFrom(...turns), fc.integer({ min: -3, max: 3 }))
  .map(([turn, days]) => new Date(turn + days * 24 * HOUR).toISOString().slice(0, 10))
const query = fc.record({
  tz: fc.constantFrom(...zones),
  start: fc.option(day, { nil: undefined }),
  end: fc.option(day, { nil: undefined }),
  owner: fc.constantFrom(undefined, 1),
})

const calendars = new Map(
  zones.map((timeZone) => [
    timeZone,
    new Intl.DateTimeFormat('en-CA', { timeZone, year: 'numeric', month: '2-digit', day: '2-digit' }),
  ]),
)

function model(
  tasks: Task[],
  { tz, start, end, owner }: { tz: string; start?: string; end?: string; owner?: number },
) {
  const within = (milliseconds: number | undefined) => {
    if (milliseconds === undefined) return undefined
    const date = calendars.get(tz)!.format(milliseconds)
    return (start === undefined || date >= start) && (end === undefined || date <= end) ? date : undefined
  }
  const by_status: Record<string, number> = { todo: 0, in_progress: 0, done: 0, failed: 0 }
  const by_user: Record<string, number> = {}
  const days: Record<string, { date: string; created: number; completed: number }> = {}
  const took: number[] = []
  let total = 0
  const add = (date: string, what: 'created' | 'completed') => {
    days[date] ??= { date, created: 0, completed: 0 }
    days[date][what]++
  }
  for (const { created, done, status, user, deleted } of tasks) {
    if (deleted || (owner !== undefined && user !== owner)) continue
    const [createdOn, doneOn] = [within(created), within(done)]
    if (createdOn) {
      const name = user === null ? '(nobody)' : `user${user}`
      by_status[status]!++
      by_user[name] = (by_user[name] ?? 0) + 1
      add(createdOn, 'created')
      total++
    }
    if (!doneOn) continue
    add(doneOn, 'completed')
    if (done! > created) took.push((done! - created) / 1000)
  }
  took.sort((a, b) => a - b)
  const half = (took.length - 1) / 2
  return {
    by_status,
    by_user,
    by_day: Object.values(days).sort((a, b) => (a.date < b.date ? -1 : 1)),
    total,
    median_seconds_to_done:
      took.length === 0 ? null : expect.closeTo((took[Math.floor(half)]! + took[Math.ceil(half)]!) / 2, 3),
  }
}

async function store(tasks: Task[]): Promise<void> {
  const rows = tasks.map((one) => ({
    ...one,
    created: new Date(one.created),
    done: one.done === undefined ? null : new Date(one.done),
  }))
  await database.rows('DELETE FROM tasks')
  await database.rows(
    `INSERT INTO tasks (title, status, user_id, created_at, deleted_at)
     SELECT place, status, "user", created, CASE WHEN deleted THEN now() END
     FROM jsonb_to_recordset($1) AS t (place text, status text, "user" integer, created timestamptz, deleted boolean)`,
    [JSON.stringify(rows.map((row, place) => ({ ...row, place })))],
  )
  await database.rows(
    `UPDATE tasks SET done_at = done
     FROM jsonb_to_recordset($1) AS t (place text, done timestamptz) WHERE title = place`,
    [JSON.stringify(rows.map(({ done }, place) => ({ done, place })))],
  )
}

test('figures are those of a plain model, in every zone and period', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(task, { maxLength: 40 }),
      fc.array(query, { minLength: 10, maxLength: 10 }),
      async (tasks, queries) => {
        await store(tasks)
        for (const { tz, start, end, owner } of queries) {
          if (start !== undefined && end !== undefined && start > end) continue
          const actor =
            owner === undefined
              ? operator
              : ({ kind: 'user', id: owner, username: '', role: 'user', scopes: ['read'], epoch: 0 } as const)
          const asked = { tz, ...(start && { start_date: start }), ...(end && { end_date: end }) }
          const found = await analyticsFor(database.db, actor, asked, (status) => status)
          expect([asked, found]).toEqual([asked, model(tasks, { tz, start, end, owner } as never)])
        }
      },
    ),
    { numRuns: 40 },
  )
})
