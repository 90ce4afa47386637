import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { operator } from '../../src/core/actor.ts'
import { MAX_PER_TASK } from '../../src/features/attachments/attachment-service.ts'
import { bearer, type Grant, register, registerAdmin } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import {
  attachmentsOf,
  beginUpload,
  filePart,
  filesOf,
  form,
  MULTIPART,
  newTask,
  someBytes,
  upload,
} from '../support/attachments.ts'
import { eventually } from '../support/eventually.ts'
import { expectProblem } from '../support/problem.ts'

const QUOTA = 10_000

let app: TestApp
let admin: Grant
beforeAll(async () => {
  app = await startTestApp({ AUTH_MODE: 'required', ATTACHMENT_QUOTA_BYTES: String(QUOTA) })
  admin = await registerAdmin(app, 'root')
})
afterAll(() => app[Symbol.asyncDispose]())

const newcomer = async (name: string) => {
  const grant = await register(app, name)
  const auth = bearer(grant.access_token)
  return { ...grant, auth, task: await newTask(app, auth) }
}
const list = async (task: number, headers: Record<string, string>) =>
  (await app.fetch(`/tasks/${task}/attachments`, { headers })).body
const sizes = async (task: number, headers: Record<string, string>) =>
  (await list(task, headers)).reduce((sum: number, { size }: { size: number }) => sum + size, 0)

test('a user is told how much is left, and has room again after deleting', async () => {
  const { task, auth } = await newcomer('anna')
  const { body } = await upload(app, task, someBytes(6000), 'a', auth)
  const refused = await upload(app, task, someBytes(4001), 'b', auth)
  expectProblem(refused, 409)
  expect(refused.body.detail).toBe(
    'The attachments of one user may have 10000 bytes together; 4000 are left, and this file has 4001.',
  )
  expect((await upload(app, task, someBytes(4000), 'b', auth)).status).toBe(201)
  expectProblem(await upload(app, task, 'x', 'c', auth), 409)
  expect((await upload(app, task, '', 'empty', auth)).status).toBe(201)
  await app.fetch(`/tasks/${task}/attachments/${body.id}`, { method: 'DELETE', headers: auth })
  expect((await upload(app, task, someBytes(6000), 'c', auth)).status).toBe(201)
})

test('what is in the trash counts until it is purged', async () => {
  const { task, auth } = await newcomer('boris')
  await upload(app, task, someBytes(QUOTA), 'a', auth)
  await app.fetch(`/tasks/${task}`, { method: 'DELETE', headers: auth })
  const other = await newTask(app, auth)
  expectProblem(await upload(app, other, 'x', 'b', auth), 409)
  await app.database.rows('DELETE FROM tasks WHERE id = $1', [task])
  expect((await upload(app, other, 'x', 'b', auth)).status).toBe(201)
})

test('of 20 at once, to tasks of one user, as many are kept as there is room for', async () => {
  const { task, auth } = await newcomer('clara')
  const tasks = [task, await newTask(app, auth), await newTask(app, auth)]
  const before = (await filesOf(app.dataDir)).length
  const answers = await Promise.all(
    Array.from({ length: 20 }, (_, i) => upload(app, tasks[i % 3]!, someBytes(1500), `${i}`, auth)),
  )
  const statuses = answers.map(({ status }) => status)
  expect(statuses.filter((status) => status === 201)).toHaveLength(6)
  expect(statuses.filter((status) => status === 409)).toHaveLength(14)
  const used = await Promise.all(tasks.map((one) => sizes(one, auth)))
  expect(used.reduce((a, b) => a + b)).toBe(9000)
  await eventually(async () => (await filesOf(app.dataDir)).length === before + 6, 'no orphan')
})

test('it is the quota of whose task it is, whoever attaches something to it', async () => {
  const { task, auth } = await newcomer('dora')
  const root = bearer(admin.access_token)
  expect((await upload(app, task, someBytes(QUOTA), 'a', root)).status).toBe(201)
  expectProblem(await upload(app, task, 'x', 'b', auth), 409)
  // A task of nobody has none.
  const [row] = await app.database.rows<{ id: number }>("INSERT INTO tasks (title) VALUES ('x') RETURNING id")
  for (let i = 0; i < 2; i++)
    expect((await upload(app, row!.id, someBytes(QUOTA), `${i}`, root)).status).toBe(201)
})

test('a key is answered as before, also when there would be no room for the same file again', async () => {
  const { task, auth } = await newcomer('emil')
  const keyed = { ...auth, 'idempotency-key': 'once' }
  const bytes = someBytes(QUOTA)
  const first = await upload(app, task, bytes, 'a', keyed)
  const again = await upload(app, task, bytes, 'a', keyed)
  expect([again.status, again.body, again.headers.get('idempotency-replayed')]).toEqual([
    201,
    first.body,
    'true',
  ])
  expect(await list(task, auth)).toHaveLength(1)
})

test('a task has no more than so many attachments, also when they come at once', async () => {
  const { task, auth } = await newcomer('fritz')
  await app.database.rows(
    `INSERT INTO attachments (task_id, name, content_type, size, sha256, attached)
      SELECT $1, 'x', 'text/plain', 0, sha256(''), true FROM generate_series(1, $2)`,
    [task, MAX_PER_TASK - 2],
  )
  const answers = await Promise.all(Array.from({ length: 5 }, () => upload(app, task, 'x', 'x', auth)))
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 409, 409, 409])
  expect(await list(task, auth)).toHaveLength(MAX_PER_TASK)
})

test('whoever loses their credential while the file comes in attaches nothing', async () => {
  const { task, access_token, user } = await newcomer('greta')
  const slow = await beginUpload(app, task, access_token)
  const root = bearer(admin.access_token)
  expect((await app.send('PATCH', `/users/${user.id}`, { disabled: true }, root)).status).toBe(200)
  expect((await slow.finish()).status).toBe(401)
  expect(await list(task, root)).toEqual([])
})

test('an admin who becomes a user meanwhile attaches nothing to what is not theirs', async () => {
  const { task } = await newcomer('hans')
  const other = await registerAdmin(app, 'mallory')
  const scopes = ['read', 'write']
  const token = await app.send('POST', '/auth/tokens', { name: 'x', scopes }, bearer(other.access_token))
  const slow = await beginUpload(app, task, token.body.token)
  const root = bearer(admin.access_token)
  await app.send('PATCH', `/users/${other.user.id}`, { role: 'user' }, root)
  expect((await slow.finish()).status).toBe(403)
  expect(await list(task, root)).toEqual([])
})

test('by the row it is decided whether bytes stay, since a commit that seemed to fail may have been one', async () => {
  const { task } = await newcomer('ida')
  await using attachments = attachmentsOf(app)
  const before = (await filesOf(app.dataDir)).length
  for (const isAttached of [true, false]) {
    const body = Readable.from([form([filePart('a.txt'), 'Hello'])])
    await using sent = await attachments.receive(Object.assign(body, { headers: MULTIPART }) as never)
    await using stored = await attachments.files.store(task, sent)
    if (isAttached) await attachments.service.add({ actor: operator }, task, stored)
  }
  const [attachment, ...more] = await list(task, bearer(admin.access_token))
  expect([attachment.name, more]).toEqual(['a.txt', []])
  expect((await filesOf(app.dataDir)).length).toBe(before + 1)
  const path = `/tasks/${task}/attachments/${attachment.id}`
  expect((await app.fetch(path, { headers: bearer(admin.access_token) })).body).toBe('Hello')
})
