import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../../../test/support/app.ts'
import { Writers } from '../../../test/support/writers.ts'
import { createClient, type EventType } from '../src/index.ts'
import { startCuttingProxy } from './support/cutting-proxy.ts'
import { startReader } from './support/reader.ts'

// Random cuts between clients and the server while writers write. Against the model: whatever happens,
// each client ends with exactly the events of the table, in order.

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const CUTS = 250
const soon = { timeout: 20_000, interval: 20 }
const seed = Date.now()
const told = `seed ${seed}`

/** Evenly from 0 to 1, which `fc.double` is not: nine of ten of its numbers are next to nothing. */
function randomNumbers(): () => number {
  const numbers = fc.sample(fc.noBias(fc.integer({ min: 0, max: 2 ** 31 })), { numRuns: 10_000, seed })
  let at = 0
  return () => numbers[at++ % numbers.length]! / 2 ** 31
}

async function storedAfter(id: number, types: readonly EventType[] | undefined): Promise<string[]> {
  const rows = await app.database.rows<{ id: number; type: EventType }>(
    'SELECT id, type FROM events WHERE id > $1 ORDER BY id',
    [id],
  )
  return rows.filter(({ type }) => !types || types.includes(type)).map((row) => String(row.id))
}

test('clients whose connections are cut at any byte have every event once and in order', async () => {
  await using proxy = await startCuttingProxy(app.url, { random: randomNumbers(), mostBytes: 6_000 })
  const client = createClient({ url: proxy.url })
  const audiences: (EventType[] | undefined)[] = [undefined, undefined, ['task_created', 'task_deleted']]
  const readers = audiences.map((types) => startReader(client, { types, after: 0 }))
  // These know of no id before they hear one, or are told their place.
  const fromNow = audiences.map((types) => startReader(client, { types }))
  await vi.waitFor(() => expect(fromNow.every(({ states }) => states.some(isLive))).toBe(true), soon)

  const writers = new Writers('дело 😀')
  writers.start(app.url, 2)
  await vi.waitFor(() => expect(proxy.cuts).toBeGreaterThan(CUTS), { timeout: 60_000, interval: 20 })
  await writers.stop()
  proxy.isCalm = true

  for (const [index, reader] of [...readers, ...fromNow].entries()) {
    const stored = await storedAfter(0, audiences[index % audiences.length])
    await vi.waitFor(() => expect(reader.ids().at(-1), told).toBe(stored.at(-1)), soon)
    const ids = reader.ids()
    if (index < readers.length) expect(ids, told).toEqual(stored)
    else {
      // Cut off before they were told their place, they say that something may be missing; not later.
      const heard = ids.slice(ids.findIndex((id) => id !== 'reset'))
      expect(heard, told).toEqual(stored.slice(stored.indexOf(heard[0]!)))
    }
  }
  expect(writers.failures).toEqual([])
}, 300_000)

test('writes through the same cuts are done once each, however often they had to be sent', async () => {
  await using proxy = await startCuttingProxy(app.url, { random: randomNumbers(), mostBytes: 3_000 })
  const { tasks } = createClient({ url: proxy.url, retries: 20 })
  const run = randomUUID()
  const titles = Array.from({ length: 30 }, (_, index) => `cut ${index} ${run}`)
  const made = await Promise.all(titles.map((title) => tasks.create({ title })))
  expect(proxy.cuts, told).toBeGreaterThan(3)
  const rows = await app.database.rows<{ id: number; title: string }>(
    'SELECT id, title FROM tasks WHERE title LIKE $1 ORDER BY id',
    [`cut % ${run}`],
  )
  expect(
    rows.map(({ id }) => id),
    told,
  ).toEqual(made.map(({ id }) => id).toSorted((a, b) => a - b))
}, 60_000)

function isLive({ state }: { state: string }): boolean {
  return state === 'live'
}
