import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { type Receiver, startReceiver, verified } from '../support/receiver.ts'

const EVENTS = 1000
const WEBHOOKS = 3

const stack = new AsyncDisposableStack()
let database: TestDatabase
let receiver: Receiver
let first: TestApp
let second: TestApp
beforeAll(async () => {
  database = stack.use(await createTestDatabase())
  receiver = stack.use(await startReceiver())
  const settings = { WEBHOOK_ALLOW: '127.0.0.1', DATABASE_URL: database.url }
  second = stack.use(await startTestApp(settings))
  // Stopped by the last test.
  first = await startTestApp(settings)
})
afterAll(() => stack.disposeAsync())

test(`two processes on one database deliver ${EVENTS} events once to each of ${WEBHOOKS} webhooks`, async () => {
  const secrets = new Map<string, string>()
  for (let i = 0; i < WEBHOOKS; i++) {
    const { body } = await first.send('POST', '/webhooks', { url: `${receiver.url}/${i}` })
    secrets.set(`/${i}`, body.secret)
  }
  const began = performance.now()
  for (let i = 0; i < EVENTS; i += 50) {
    const app = i % 100 === 0 ? first : second
    await Promise.all(Array.from({ length: 50 }, (_, j) => app.send('POST', '/tasks', { title: `${i + j}` })))
  }
  const written = performance.now()
  await eventually(() => receiver.received.length >= EVENTS * WEBHOOKS, 'all arrive', 60_000)
  const done = performance.now()
  const rows = await database.rows<{ id: number }>('SELECT id FROM events ORDER BY id')
  const ids = rows.map(({ id }) => String(id))
  expect(ids).toHaveLength(EVENTS)
  for (const [path, secret] of secrets) {
    expect(receiver.ids(path).sort((a, b) => Number(a) - Number(b))).toEqual(ids)
    for (const message of receiver.received.filter((one) => one.path === path)) {
      expect(verified(secret, message)).toMatchObject({ id: message.id })
    }
  }
  const recorded = async () =>
    (await database.rows("SELECT FROM webhook_deliveries WHERE state = 'delivered' AND attempts = 1")).length
  await eventually(async () => (await recorded()) === EVENTS * WEBHOOKS, 'all are recorded')
  process.stdout.write(
    `${EVENTS * WEBHOOKS} messages of ${EVENTS} events in ${Math.round(done - began)} ms, of which ${Math.round(written - began)} ms were writing\n`,
  )
}, 90_000)

test('when one process ends, the other delivers the rest', async () => {
  receiver.received.length = 0
  const posts = Array.from({ length: 50 }, (_, i) => first.send('POST', '/tasks', { title: `last ${i}` }))
  await Promise.all(posts)
  await first[Symbol.asyncDispose]()
  await second.send('POST', '/tasks', { title: 'after' })
  await eventually(() => receiver.ids('/0').length >= 51, 'they arrive', 20_000)
  expect(new Set(receiver.ids('/0')).size).toBe(51)
})
