import { expect, test } from 'vitest'
import { emptyDatabase } from '../support/empty-database.ts'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'
import { startServer, stop } from '../support/server.ts'
import { startUpstream } from '../support/upstream.ts'

interface Importer {
  next_run_at: string | null
  last_run: { state: string } | null
}

const status = async (url: string) => (await fetch(url)).status

test('one process serves, another imports by the clock: each does its part only', async () => {
  await using upstream = await startUpstream()
  const settings = {
    DATABASE_URL: await emptyDatabase(),
    SECRET_KEY: 'one-secret-key-for-both-processes-of-this-test',
    IMPORTS: 'on',
    TODO_SOURCE_URL: upstream.url,
  }
  const api = await startServer({ ...settings, ROLES: 'api' })
  const importers = async () => (await (await fetch(`${api.url}/importers`)).json()) as Importer[]
  expect((await importers())[0]).toMatchObject({ name: 'todos', next_run_at: null, last_run: null })
  const listener = await listen(`${api.ws}/ws/tasks`)

  const scheduler = await startServer({ ...settings, ROLES: 'Scheduler, relay' })
  await eventually(async () => (await importers())[0]!.last_run?.state === 'succeeded', 'the import')
  await eventually(async () => (await importers())[0]!.next_run_at, 'the next run is booked')
  await eventually(
    () => listener.events.some(({ type }) => type === 'background_task_completed'),
    'the other process tells of it',
  )
  expect(listener.events.filter(({ type }) => type === 'task_created')).toHaveLength(20)

  const ready = await (await fetch(`${scheduler.url}/health/ready`)).json()
  expect(ready).toEqual({
    status: 'ready',
    checks: { database: { status: 'up' } },
    roles: ['scheduler', 'relay'],
    worker: null,
  })
  expect(await status(`${scheduler.url}/metrics`)).toBe(200)
  expect(await status(`${scheduler.url}/tasks`)).toBe(404)
  expect(await status(`${scheduler.url}/openapi.json`)).toBe(200)

  for (const server of [scheduler, api]) expect(await stop(server)).toMatchObject({ code: 0 })
  for (const server of [scheduler, api])
    expect(server.logged().filter(({ level }) => /error|fatal/.test(level))).toEqual([])
}, 60_000)
