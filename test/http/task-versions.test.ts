import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

const create = async (body: object = { title: 'Versioned' }) => (await app.send('POST', '/tasks', body)).body
const versionsTold = async (id: number) =>
  (
    await app.database.rows<{ version: number }>(
      `SELECT (data ->> 'version')::integer AS version FROM events
       WHERE type = 'task_updated' AND data ->> 'id' = $1 ORDER BY id`,
      [String(id)],
    )
  ).map(({ version }) => version)

test('GET answers 304 while the task is the one that If-None-Match names', async () => {
  const { id } = await create()
  const get = (tag: string) => app.fetch(`/tasks/${id}`, { headers: { 'if-none-match': tag } })
  const first = await app.fetch(`/tasks/${id}`)
  const tag = first.headers.get('etag')!
  expect(tag).toBe('"1"')
  for (const same of [tag, `W/${tag}`, '*', `"0", ${tag}`]) {
    const answer = await get(same)
    expect(answer).toMatchObject({ status: 304, body: '' })
    expect(answer.headers.get('etag')).toBe(tag)
    expect(answer.headers.get('content-type')).toBeNull()
  }
  expect((await get('"2"')).status).toBe(200)
  await app.send('PATCH', `/tasks/${id}`, { title: 'Other' })
  const changed = await get(tag)
  expect(changed).toMatchObject({ status: 200, body: { version: 2 } })
  expect(changed.headers.get('etag')).toBe('"2"')
  expect((await app.fetch('/tasks/2147483647', { headers: { 'if-none-match': '*' } })).status).toBe(404)
})

const writes: [string, (id: number, ifMatch: string) => ReturnType<TestApp['send']>][] = [
  ['PATCH', (id, tag) => app.send('PATCH', `/tasks/${id}`, { title: 'Changed' }, { 'if-match': tag })],
  ['PUT', (id, tag) => app.send('PUT', `/tasks/${id}`, { title: 'Changed' }, { 'if-match': tag })],
  ['DELETE', (id, tag) => app.fetch(`/tasks/${id}`, { method: 'DELETE', headers: { 'if-match': tag } })],
]

test.each(writes)(
  '%s with an If-Match that does not name the version: 412, and nothing changes',
  async (_, write) => {
    const task = await create()
    for (const stale of [
      '"2"',
      'W/"1"',
      '"abc"',
      '"7", "8"',
      '1',
      '"1x"',
      '"99999999999999"',
      'W/"1", "2"',
    ]) {
      const answer = await write(task.id, stale)
      expect(answer).toMatchObject({ status: 412, body: { status: 412, title: 'Precondition Failed' } })
    }
    expect((await app.fetch(`/tasks/${task.id}`)).body).toEqual(task)
    expect(await versionsTold(task.id)).toEqual([])
  },
)

test.each(writes)('%s with an If-Match that names the version goes through', async (method, write) => {
  for (const tag of ['"1"', '*', '"5", "1"', 'W/"3" , "1"']) {
    const { id } = await create()
    expect((await write(id, tag)).status).toBe(method === 'DELETE' ? 204 : 200)
  }
  for (const tag of ['*', '"1"']) expect((await write(2_147_483_647, tag)).status).toBe(404)
})

test('a stale If-Match is 412 also where the change would change nothing', async () => {
  const task = await create()
  const send = (tag: string) =>
    app.send('PATCH', `/tasks/${task.id}`, { title: task.title }, { 'if-match': tag })
  expect((await send('"9"')).status).toBe(412)
  expect(await send('"1"')).toMatchObject({ status: 200, body: task })
})

test('eight PATCHes at once: every one counts, and versions and events agree', async () => {
  const { id } = await create()
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) => app.send('PATCH', `/tasks/${id}`, { title: `Writer ${i}` })),
  )
  expect(answers.map(({ status }) => status)).toEqual(Array(8).fill(200))
  const versions = answers.map(({ body }) => body.version).toSorted((a, b) => a - b)
  expect(versions).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
  expect(await versionsTold(id)).toEqual([2, 3, 4, 5, 6, 7, 8, 9])
  const last = answers.find(({ body }) => body.version === 9)!.body
  expect((await app.fetch(`/tasks/${id}`)).body).toEqual(last)
})

test('of eight at once with the same If-Match one wins', async () => {
  const { id } = await create()
  const answers = await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      app.send('PATCH', `/tasks/${id}`, { title: `Writer ${i}` }, { 'if-match': '"1"' }),
    ),
  )
  expect(answers.map(({ status }) => status).toSorted()).toEqual([200, ...Array(7).fill(412)])
  expect(await versionsTold(id)).toEqual([2])
})

test('eight DELETEs at once delete once; eight restores at once restore once', async () => {
  const { id } = await create()
  const eight = async (method: string, path: string) =>
    (await Promise.all(Array.from({ length: 8 }, () => app.fetch(path, { method })))).map(
      ({ status }) => status,
    )
  expect((await eight('DELETE', `/tasks/${id}`)).toSorted()).toEqual([204, ...Array(7).fill(404)])
  expect((await eight('POST', `/tasks/${id}/restore`)).toSorted()).toEqual([200, ...Array(7).fill(404)])
  const rows = await app.database.rows<{ type: string }>(
    `SELECT type FROM events WHERE coalesce(data ->> 'id', data ->> 'task_id') = $1 ORDER BY id`,
    [String(id)],
  )
  expect(rows.map(({ type }) => type)).toEqual(['task_created', 'task_deleted', 'task_created'])
})

/** Sends a write while another transaction has changed the row and not yet committed. */
async function behind(id: number, change: string, send: () => ReturnType<TestApp['send']>) {
  return app.database.db.transaction(async (transaction) => {
    await transaction.query({
      text: `UPDATE tasks SET ${change}, version = version + 1 WHERE id = $1`,
      values: [id],
    })
    const answer = send()
    await vi.waitFor(async () => {
      const waiting = await app.database.rows(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      )
      expect(waiting).toHaveLength(1)
    })
    return { answer }
  })
}

test('a PATCH back to the old value is not lost behind a change that is being committed', async () => {
  const { id } = await create({ title: 'Old', status: 'in_progress' })
  const { answer } = await behind(id, "title = 'New'", () =>
    app.send('PATCH', `/tasks/${id}`, { title: 'Old' }),
  )
  expect(await answer).toMatchObject({ status: 200, body: { title: 'Old', version: 3 } })
  expect((await app.fetch(`/tasks/${id}`)).body).toMatchObject({ title: 'Old', version: 3 })
  expect(await versionsTold(id)).toEqual([3])
})

test('a PATCH that says the same as the change being committed changes nothing', async () => {
  const { id } = await create({ title: 'Old' })
  const { answer } = await behind(id, "title = 'New'", () =>
    app.send('PATCH', `/tasks/${id}`, { title: 'New' }),
  )
  expect(await answer).toMatchObject({ status: 200, body: { title: 'New', version: 2 } })
  expect(await versionsTold(id)).toEqual([])
})

test('completed: false reopens what is being completed, and a change of what is being deleted is 404', async () => {
  const one = await create()
  const reopened = await behind(one.id, "status = 'done'", () =>
    app.send('PATCH', `/tasks/${one.id}`, { completed: false }),
  )
  expect(await reopened.answer).toMatchObject({ status: 200, body: { status: 'todo', version: 3 } })
  const two = await create()
  const late = await behind(two.id, 'deleted_at = now()', () =>
    app.send('PUT', `/tasks/${two.id}`, { title: 'x' }),
  )
  expect((await late.answer).status).toBe(404)
})

test('an If-Match is judged by the version after a change that was being committed', async () => {
  const { id } = await create()
  const { answer } = await behind(id, "title = 'New'", () =>
    app.send('PATCH', `/tasks/${id}`, { title: 'Mine' }, { 'if-match': '"1"' }),
  )
  expect((await answer).status).toBe(412)
})
