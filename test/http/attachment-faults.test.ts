import { once } from 'node:events'
import { rm, utimes } from 'node:fs/promises'
import { get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { operator } from '../../src/core/actor.ts'
import { purgeTrash } from '../../src/features/tasks/index.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import {
  type Attachment,
  attachmentsOf,
  beginUpload,
  download,
  filesOf,
  newTask,
  someBytes,
  upload,
} from '../support/attachments.ts'
import { eventually } from '../support/eventually.ts'
import { expectProblem } from '../support/problem.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { startS3, type TestS3 } from '../support/s3.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const rows = ({ database }: TestApp) =>
  database.rows<{ id: number }>('SELECT id FROM attachments ORDER BY id')
const remove = (app: TestApp, { task_id, id }: Attachment) =>
  app.fetch(`/tasks/${task_id}/attachments/${id}`, { method: 'DELETE' })
const purge = async (app: TestApp, settings = {}) => {
  await using attachments = attachmentsOf(app, settings)
  return await attachments.files.purge(100)
}
/** Starts a download and stops reading it. */
async function beginDownload(app: TestApp, { task_id, id }: Attachment): Promise<IncomingMessage> {
  const outgoing = get(`${app.url}/tasks/${task_id}/attachments/${id}`)
  const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage]
  await once(incoming, 'readable')
  return incoming
}

describe('on disk', () => {
  let app: TestApp
  beforeAll(async () => {
    app = await startTestApp()
  })
  afterAll(() => app[Symbol.asyncDispose]())
  // Neither bytes without a row nor a row without bytes.
  afterEach(async () => {
    await eventually(
      async () => (await filesOf(app.dataDir)).length === (await rows(app)).length,
      'no orphan',
    )
  })

  test('a client that goes away in the middle leaves nothing', async () => {
    const before = await rows(app)
    const one = await beginUpload(app, await newTask(app))
    await one.send(someBytes(200_000))
    one.cut()
    await eventually(async () => (await filesOf(app.dataDir)).length === before.length, 'nothing is left')
    expect(await rows(app)).toEqual(before)
    expect(app.logged.filter(({ level }) => Number(level) >= 40)).toEqual([])
  })

  test('a task that is deleted while a file comes in gets none', async () => {
    for (const goes of ['to the trash', 'for good']) {
      const before = await rows(app)
      const task = await newTask(app)
      const one = await beginUpload(app, task)
      if (goes === 'for good') await app.database.rows('DELETE FROM tasks WHERE id = $1', [task])
      else await app.fetch(`/tasks/${task}`, { method: 'DELETE' })
      const { status, body } = await one.finish()
      expect([goes, status, JSON.parse(body).detail]).toEqual([goes, 404, `Task ${task} does not exist.`])
      await eventually(async () => (await rows(app)).length === before.length, 'nothing is left')
    }
  })

  test('what is deleted while it is read is read to the end', async () => {
    const bytes = someBytes(20 * 2 ** 20)
    const { body } = await upload(app, await newTask(app), bytes)
    const reading = await beginDownload(app, body)
    expect((await remove(app, body)).status).toBe(204)
    expect((await download(app, body)).status).toBe(404)
    await eventually(async () => (await rows(app)).every(({ id }) => id !== body.id), 'its bytes are removed')
    expect((await buffer(reading)).equals(bytes)).toBe(true)
  })

  test('a reader that goes away in the middle is forgotten', async () => {
    const { body } = await upload(app, await newTask(app), someBytes(20 * 2 ** 20))
    const reading = await beginDownload(app, body)
    reading.destroy()
    expect((await download(app, body)).status).toBe(200)
  })

  test('attachments of a purged task are gone with it, and their bytes after it', async () => {
    const task = await newTask(app)
    const made = await Promise.all([upload(app, task, 'one'), upload(app, task, 'two')])
    const before = (await filesOf(app.dataDir)).length
    await app.fetch(`/tasks/${task}`, { method: 'DELETE' })
    await app.database.rows("UPDATE tasks SET deleted_at = now() - interval '31 days' WHERE id = $1", [task])
    expect(await purgeTrash(app.database.db, 30, 100)).toBe(1)
    for (const { body } of made) expect((await download(app, body)).status).toBe(404)
    expect(await purge(app)).toBe(2)
    expect((await filesOf(app.dataDir)).length).toBe(before - 2)
  })

  test('what a killed process left is removed once it is old enough', async () => {
    const task = await newTask(app)
    // It dies after the bytes are stored and before they are attached.
    const attachments = attachmentsOf(app)
    onTestFinished(() => attachments[Symbol.asyncDispose]())
    const slow = await beginUpload(app, task)
    const [incoming] = (await filesOf(app.dataDir)).filter((path) => path.includes('incoming'))
    await app.database.rows(
      `INSERT INTO attachments (task_id, name, content_type, size, sha256, created_at)
        VALUES ($1, 'left', 'text/plain', 1, sha256(''), now() - interval '59 minutes')`,
      [task],
    )
    expect(await purge(app)).toBe(0)
    expect((await app.fetch(`/tasks/${task}/attachments`)).body).toEqual([])
    await app.database.rows(
      `UPDATE attachments SET created_at = now() - interval '61 minutes' WHERE name = 'left'`,
    )
    expect(await purge(app)).toBe(1)
    // It dies while the file comes in: here the file only looks so old.
    const old = Date.now() / 1000 - 3601
    await utimes(incoming!, old, old)
    expect(await purge(app)).toBe(0)
    expect((await filesOf(app.dataDir)).some((path) => path.includes('incoming'))).toBe(false)
    slow.cut()
  })

  test('an upload that was given up meanwhile is not attached', async () => {
    const task = await newTask(app)
    await using attachments = attachmentsOf(app)
    const { body } = await upload(app, task, 'x')
    const [{ id } = { id: 0 }] = await app.database.rows<{ id: number }>(
      `INSERT INTO attachments (task_id, name, content_type, size, sha256, created_at)
        VALUES ($1, 'slow', 'text/plain', 1, sha256(''), now() - interval '2 hours') RETURNING id`,
      [task],
    )
    await attachments.files.purge(100)
    const late = attachments.service.add({ actor: operator }, task, { id, size: 1, keep() {} })
    await expect(late).rejects.toMatchObject({ code: 'not-found' })
    await expect(
      attachments.service.add({ actor: operator }, task, { id: body.id, size: 1, keep() {} }),
    ).rejects.toMatchObject({
      code: 'not-found',
    })
  })

  test('bytes that have vanished are our fault, and told to the operator', async () => {
    const { body } = await upload(app, await newTask(app), 'vanishes')
    const [row] = await app.database.rows<{ key: string }>(
      'SELECT storage_key AS key FROM attachments WHERE id = $1',
      [body.id],
    )
    await rm(join(app.dataDir, 'attachments', row!.key.slice(0, 2), row!.key))
    expect((await download(app, body)).status).toBe(500)
    expect(app.logged).toContainEqual(expect.objectContaining({ level: 50, msg: 'request failed' }))
    await app.database.rows('DELETE FROM attachments WHERE id = $1', [body.id])
    app.logged.length = 0
  })
})

test('a full disk is 507, leaves nothing, and takes files again when there is room', async () => {
  await using app = await startTestApp()
  using disk = mountSmallDisk(join(app.dataDir, 'attachments'), 2 ** 20)
  if (!disk) return
  const task = await newTask(app)
  const { body: half } = await upload(app, task, someBytes(600_000))
  const refused = await upload(app, task, someBytes(600_000))
  expectProblem(refused, 507)
  expect(refused.body.detail).toBe('The storage of the server is full.')
  await eventually(async () => (await filesOf(app.dataDir)).length === 1, 'nothing is left of it')
  expect(await rows(app)).toEqual([{ id: half.id }])
  expect((await remove(app, half)).status).toBe(204)
  await eventually(async () => (await filesOf(app.dataDir)).length === 0, 'there is room')
  expect((await upload(app, task, someBytes(600_000))).status).toBe(201)
  expect(app.logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
})

describe('on S3', () => {
  let s3: TestS3
  let proxy: TcpProxy
  let app: TestApp
  let settings: Record<string, string>
  beforeAll(async () => {
    s3 = await startS3()
    proxy = await startProxy(s3.url, 80)
    settings = { ...s3.settings, S3_ENDPOINT: proxy.url }
    app = await startTestApp(settings)
  })
  afterAll(async () => {
    await app?.[Symbol.asyncDispose]()
    await proxy?.[Symbol.asyncDispose]()
    await s3?.[Symbol.asyncDispose]()
  })
  afterEach(async () => {
    await proxy.restore()
    await purge(app, settings)
    expect((await s3.keys()).length).toBe((await rows(app)).length)
    await eventually(async () => (await filesOf(app.dataDir)).length === 0, 'nothing is left on the way')
  })

  test('that goes away in the middle of an upload is 503, and nothing is left', async () => {
    const [task, before] = [await newTask(app), proxy.connections]
    proxy.cut()
    proxy.hang()
    const sent = upload(app, task, someBytes(10 * 2 ** 20))
    await eventually(() => proxy.connections > before, 'it is being stored')
    await proxy.refuse()
    const answer = await sent
    expectProblem(answer, 503)
    expect(answer.headers.get('retry-after')).toBe('5')
    expect((await app.fetch(`/tasks/${task}/attachments`)).body).toEqual([])
    // Of a storage that is away nothing can be removed: that is done when it is back.
    await expect(purge(app, settings)).rejects.toThrow()
    await proxy.restore()
    await purge(app, settings)
    expect(await rows(app)).toEqual([])
    expect((await upload(app, task, 'again')).status).toBe(201)
  })

  test('that is away is 503 for a download, and told by the readiness, which holds', async () => {
    const { body } = await upload(app, await newTask(app), 'Hello')
    await proxy.refuse()
    expect((await download(app, body)).status).toBe(503)
    const { status, body: ready } = await app.fetch('/health/ready')
    expect([status, ready.checks.storage.status]).toEqual([200, 'down'])
    expect((await app.fetch(`/tasks/${body.task_id}/attachments`)).body).toEqual([body])
    await proxy.restore()
    expect((await download(app, body)).bytes.toString()).toBe('Hello')
  })

  test('that goes away in the middle of a download cuts the reader off, who is not told that it was all', async () => {
    const { body } = await upload(app, await newTask(app), someBytes(20 * 2 ** 20))
    const reading = await beginDownload(app, body)
    proxy.cut()
    await expect(buffer(reading)).rejects.toThrow()
    expect((await download(app, body)).bytes.length).toBe(body.size)
  })

  test('that is away while something is deleted: it is deleted, its bytes when the storage is back', async () => {
    const { body } = await upload(app, await newTask(app), 'Hello')
    await proxy.refuse()
    expect((await remove(app, body)).status).toBe(204)
    expect((await download(app, body)).status).toBe(404)
    const before = (await s3.keys()).length
    await proxy.restore()
    await purge(app, settings)
    expect((await s3.keys()).length).toBe(before - 1)
  })

  test('a process that dies between storing and attaching leaves what the housekeeping removes', async () => {
    const task = await newTask(app)
    await using attachments = attachmentsOf(app, settings)
    const before = await s3.keys()
    const { body } = await upload(app, task, 'Hello')
    await app.database.rows(
      `UPDATE attachments SET attached = false, created_at = now() - interval '2 hours' WHERE id = $1`,
      [body.id],
    )
    expect((await download(app, body)).status).toBe(404)
    expect(await attachments.files.purge(100)).toBe(1)
    expect(await s3.keys()).toEqual(before)
  })

  test('who says what is wrong with S3 is the log, without the secret', async () => {
    await proxy.refuse()
    await upload(app, await newTask(app), 'Hello')
    expect(app.logged).toContainEqual(
      expect.objectContaining({
        level: 40,
        msg: expect.stringContaining('the storage of attachments is unavailable'),
      }),
    )
    expect(app.logged.filter(({ level }) => Number(level) >= 50)).toEqual([])
  })
})
