import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../../test/support/database.ts'
import { eventually } from '../../../../test/support/eventually.ts'
import { waitsForALock } from '../../../../test/support/locks.ts'
import { logTo } from '../../../../test/support/log.ts'
import { operator } from '../../../core/actor.ts'
import type { Database, Transaction } from '../../../platform/database/database.ts'
import { type JobQueues, openJobQueues } from '../../../platform/queue/index.ts'
import { NotAsked, type Weather, weatherExample } from '../../weather/index.ts'
import { createTaskService, dueWeather, fillWeather, postponeWeather } from '../index.ts'
import { openWeatherFill, type WeatherFill } from './weather-fill.ts'

let database: TestDatabase
let queues: JobQueues
let fill: WeatherFill
let asked: string[]
let answer: (city: string) => Promise<Weather | null>
let changes = 0
const log = logTo([])

beforeAll(async () => {
  database = await createTestDatabase()
  queues = await openJobQueues({ connectionString: database.url }, log)
  const weather = {
    of: (city: string) => {
      asked.push(city)
      return answer(city)
    },
  }
  fill = await openWeatherFill({ queues, db: database.db, weather, log, onChange: () => void changes++ })
  await fill.work()
})
afterAll(async () => {
  await fill[Symbol.asyncDispose]()
  await queues[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})
beforeEach(() => {
  asked = []
  answer = async () => weatherExample
})
afterEach(() => database.rows('DELETE FROM tasks'))

const create = async (city: string | null, title = 'x') =>
  (await createTaskService(database.db).create({ actor: operator }, { title, city })).id
const change = (id: number, input: object, db: Database | Transaction = database.db) =>
  createTaskService(db).patch({ actor: operator }, id, input)
interface Row {
  id: number
  title: string
  city: string | null
  weather: Weather | null
  version: number
  wait: number | null
}
const row = async (id: number) =>
  (
    await database.rows<Row>(
      `SELECT id, title, city, weather, version, extract(epoch FROM weather_due_at - now())::float AS wait
       FROM tasks WHERE id = $1`,
      [id],
    )
  )[0]!
const until = (id: number, is: (row: Row) => boolean, what: string) =>
  eventually(async () => {
    const found = await row(id)
    return is(found) ? found : undefined
  }, what)
const events = (id: number) =>
  database.rows<{ type: string }>("SELECT type FROM events WHERE (data ->> 'id')::int = $1 ORDER BY id", [id])

test('all tasks of a city are filled in by one question, each with its event', async () => {
  const ids = await Promise.all(Array.from({ length: 40 }, () => create('Omsk')))
  const other = await create(null)
  const before = changes
  fill.wake()
  for (const id of ids) await until(id, ({ weather }) => weather !== null, `task ${id} has its weather`)
  expect(asked).toEqual(['Omsk'])
  expect(await row(ids[0]!)).toMatchObject({ weather: weatherExample, version: 2, wait: null })
  expect((await events(ids[0]!)).map(({ type }) => type)).toEqual(['task_created', 'task_updated'])
  expect(await row(other)).toMatchObject({ weather: null, version: 1 })
  expect(changes).toBeGreaterThan(before)
})

test('what is written meanwhile stays: another title with the weather, another city without it', async () => {
  const held = Promise.withResolvers<Weather>()
  answer = (city) =>
    city === 'Omsk' ? held.promise : Promise.resolve({ ...weatherExample, temperature: -3 })
  const [renamed, moved, cleared, deleted] = await Promise.all(
    ['a', 'b', 'c', 'd'].map((t) => create('Omsk', t)),
  )
  fill.wake()
  await eventually(() => asked.length > 0, 'it is asked')
  await change(renamed!, { title: 'New' })
  await change(moved!, { city: 'Tomsk' })
  await change(cleared!, { city: null })
  await database.rows('UPDATE tasks SET deleted_at = now() WHERE id = $1', [deleted])
  held.resolve(weatherExample)
  expect(await until(renamed!, ({ weather }) => weather !== null, 'the renamed one')).toMatchObject({
    title: 'New',
    weather: weatherExample,
    version: 3,
  })
  expect(await until(moved!, ({ weather }) => weather !== null, 'the moved one')).toMatchObject({
    city: 'Tomsk',
    weather: { temperature: -3 },
  })
  expect(await row(cleared!)).toMatchObject({ city: null, weather: null, wait: null, version: 2 })
  expect(await row(deleted!)).toMatchObject({ weather: null, version: 1 })
})

test('a fill that waits for the lock of a task decides by what is there then', async () => {
  const id = await create('Omsk')
  const [due] = await dueWeather(database.db, 10)
  const { promise: locked, resolve: lock } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  const moving = database.db.transaction(async (transaction) => {
    await change(id, { city: 'Tomsk' }, transaction)
    lock()
    await released
  })
  await locked
  const filling = fillWeather(database.db, due!, weatherExample)
  await waitsForALock(database)
  release()
  await moving
  expect(await filling).toBe(0)
  expect(await row(id)).toMatchObject({ city: 'Tomsk', weather: null, version: 2 })
})

test('a city that nobody knows is not asked for again', async () => {
  answer = async () => null
  const id = await create('Atlantis')
  fill.wake()
  expect(await until(id, ({ wait }) => wait === null, 'it is left at that')).toMatchObject({ version: 1 })
  expect(asked).toEqual(['Atlantis'])
})

test('a failure is tried again after twice the time, a dozen times, and the other cities are not kept by it', async () => {
  answer = (city) =>
    city === 'Omsk' ? Promise.reject(new Error('garbage')) : Promise.resolve(weatherExample)
  const [failing, fine] = [await create('Omsk'), await create('Tomsk')]
  fill.wake()
  await until(fine, ({ weather }) => weather !== null, 'the other one')
  const { wait } = await until(failing, ({ wait }) => wait !== null && wait > 1, 'it is postponed')
  expect(wait).toBeGreaterThan(20)
  expect(wait).toBeLessThanOrEqual(30)

  // The next attempts, as time would pass.
  let attempts = 1
  for (;;) {
    const found = await row(failing)
    if (found.wait === null) break
    await database.rows(
      `UPDATE tasks SET created_at = created_at - (weather_due_at - now()), weather_due_at = now() WHERE id = $1`,
      [failing],
    )
    await postponeWeather(database.db, { city: 'Omsk', ids: [failing] })
    attempts++
  }
  expect(attempts).toBeGreaterThan(8)
  expect(attempts).toBeLessThan(16)
  expect(await row(failing)).toMatchObject({ weather: null, version: 1 })
})

test('while nobody can be asked, what is due stays due', async () => {
  answer = () => Promise.reject(new NotAsked('away'))
  const id = await create('Omsk')
  fill.wake()
  await eventually(() => asked.length > 0, 'it is tried')
  const found = await row(id)
  expect(found.wait).toBeLessThanOrEqual(0)
  answer = async () => weatherExample
  fill.wake()
  await until(id, ({ weather }) => weather !== null, 'it is filled in')
})

test('what was due more than a day ago is left at that', async () => {
  const id = await create('Omsk')
  await database.rows("UPDATE tasks SET weather_due_at = now() - interval '25 hours' WHERE id = $1", [id])
  expect(await dueWeather(database.db, 10)).toEqual([])
})
