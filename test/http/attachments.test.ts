import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'
import {
  type Attachment,
  download,
  filePart,
  filesOf,
  form,
  newTask,
  sendForm,
  someBytes,
  upload,
} from '../support/attachments.ts'
import { eventually } from '../support/eventually.ts'
import { expectProblem } from '../support/problem.ts'
import { startS3, type TestS3 } from '../support/s3.ts'

const sha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex')

describe.each(['disk', 's3'] as const)('attachments on %s', (kind) => {
  let s3: TestS3 | undefined
  let app: TestApp
  beforeAll(async () => {
    if (kind === 's3') s3 = await startS3()
    app = await startTestApp({ ATTACHMENT_MAX_BYTES: String(2 ** 20), ...s3?.settings })
  })
  afterAll(async () => {
    await app?.[Symbol.asyncDispose]()
    await s3?.[Symbol.asyncDispose]()
  })
  /** How many files are kept; what came in on the way to S3 does not stay. */
  const kept = async () => {
    if (!s3) return (await filesOf(app.dataDir)).length
    await eventually(async () => (await filesOf(app.dataDir)).length === 0, 'nothing is left on the disk')
    return (await s3.keys()).length
  }
  const add = async (taskId: number, content: Buffer | string, name?: string): Promise<Attachment> => {
    const { status, body, headers } = await upload(app, taskId, content, name)
    expect([status, body]).toEqual([201, expect.objectContaining({ task_id: taskId })])
    expect(headers.get('location')).toBe(`/tasks/${taskId}/attachments/${body.id}`)
    return body
  }
  const remove = (taskId: number, id: number, headers = {}) =>
    app.fetch(`/tasks/${taskId}/attachments/${id}`, { method: 'DELETE', headers })

  test('a file comes back as it was sent, and is listed until it is deleted', async () => {
    const before = await kept()
    const task = await newTask(app)
    const bytes = someBytes(300_000)
    const attachment = await add(task, bytes, 'месячный отчёт "1".bin')
    expect(attachment).toEqual({
      id: attachment.id,
      task_id: task,
      name: 'месячный отчёт "1".bin',
      content_type: 'application/octet-stream',
      size: bytes.length,
      sha256: sha256(bytes),
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    })
    const second = await add(task, 'Hello', 'hello.txt')
    expect((await app.fetch(`/tasks/${task}/attachments`)).body).toEqual([attachment, second])
    expect(await kept()).toBe(before + 2)

    const { status, headers, bytes: sent } = await download(app, attachment)
    expect(status).toBe(200)
    expect(sent.equals(bytes)).toBe(true)
    expect(Object.fromEntries(headers)).toMatchObject({
      'accept-ranges': 'bytes',
      'cache-control': 'private, no-cache',
      'content-disposition':
        'attachment; filename="???????? ????? \\"1\\".bin"; filename*=UTF-8\'\'' +
        '%D0%BC%D0%B5%D1%81%D1%8F%D1%87%D0%BD%D1%8B%D0%B9%20%D0%BE%D1%82%D1%87%D1%91%D1%82%20%221%22.bin',
      'content-length': String(bytes.length),
      'content-security-policy': "default-src 'none';frame-ancestors 'none';sandbox",
      'content-type': 'application/octet-stream',
      etag: `"${sha256(bytes)}"`,
      'repr-digest': `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`,
      'x-content-type-options': 'nosniff',
    })

    expect((await remove(task, attachment.id)).status).toBe(204)
    expect((await app.fetch(`/tasks/${task}/attachments`)).body).toEqual([second])
    expect((await download(app, attachment)).status).toBe(404)
    expectProblem(await remove(task, attachment.id), 404)
    await eventually(async () => (await kept()) === before + 1, 'the bytes are removed')
    expect(await app.database.rows('SELECT FROM attachments WHERE task_id IS NULL')).toEqual([])
  })

  test('an empty file, and one as large as may be', async () => {
    const task = await newTask(app)
    for (const size of [0, 1, 2 ** 20]) {
      const bytes = someBytes(size)
      const attachment = await add(task, bytes)
      expect(attachment).toMatchObject({ size, sha256: sha256(bytes) })
      const { status, headers, bytes: sent } = await download(app, attachment)
      expect([status, headers.get('content-length'), sent.equals(bytes)]).toEqual([200, String(size), true])
    }
  })

  test('whoever has it is told that it has not changed', async () => {
    const attachment = await add(await newTask(app), 'Hello')
    const tag = `"${attachment.sha256}"`
    for (const header of [tag, `"x", W/${tag}`, '*']) {
      const { status, headers, bytes } = await download(app, attachment, { 'if-none-match': header })
      expect([status, headers.get('etag'), bytes.length]).toEqual([304, tag, 0])
    }
    expect((await download(app, attachment, { 'if-none-match': '"x"' })).status).toBe(200)
  })

  test('a part of it is sent where a part is asked for', async () => {
    const attachment = await add(await newTask(app), '0123456789')
    const part = async (range: string, headers = {}) => {
      const answer = await download(app, attachment, { range, ...headers })
      return [answer.status, answer.headers.get('content-range'), answer.bytes.toString()]
    }
    // s3rver takes the end 0 for none.
    if (kind === 'disk') expect(await part('bytes=0-0')).toEqual([206, 'bytes 0-0/10', '0'])
    expect(await part('bytes=3-5')).toEqual([206, 'bytes 3-5/10', '345'])
    expect(await part('bytes=7-')).toEqual([206, 'bytes 7-9/10', '789'])
    expect(await part('bytes=7-99999999999999999999')).toEqual([206, 'bytes 7-9/10', '789'])
    expect(await part('bytes=-2')).toEqual([206, 'bytes 8-9/10', '89'])
    expect(await part('bytes=-11')).toEqual([206, 'bytes 0-9/10', '0123456789'])
    const whole = [200, null, '0123456789']
    for (const range of ['bytes=5-3', 'bytes=', 'bytes=-', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=a-b', '1-2'])
      expect(await part(range)).toEqual(whole)
    for (const range of ['bytes=10-', 'bytes=10-11', 'bytes=-0', 'bytes=99999999999999999999-'])
      expect(await part(range)).toEqual([416, 'bytes */10', expect.stringContaining('"status":416')])
    expect(await part('bytes=3-5', { 'if-range': `"${attachment.sha256}"` })).toEqual([
      206,
      'bytes 3-5/10',
      '345',
    ])
    for (const other of ['"x"', `W/"${attachment.sha256}"`, 'Wed, 21 Oct 2015 07:28:00 GMT'])
      expect(await part('bytes=3-5', { 'if-range': other })).toEqual(whole)
    expect((await download(app, attachment, { range: 'bytes=3-5', 'if-none-match': '*' })).status).toBe(304)
  })

  test('HEAD says what GET would, and sends nothing', async () => {
    const attachment = await add(await newTask(app), 'Hello')
    const path = `/tasks/${attachment.task_id}/attachments/${attachment.id}`
    const got = await app.fetch(path)
    const { status, headers, body } = await app.fetch(path, { method: 'HEAD' })
    expect([status, body]).toEqual([200, ''])
    const names = ['content-length', 'content-type', 'content-disposition', 'etag', 'accept-ranges']
    for (const name of names) expect([name, headers.get(name)]).toEqual([name, got.headers.get(name)])
    const ranged = await app.fetch(path, { method: 'HEAD', headers: { range: 'bytes=1-2' } })
    expect([ranged.status, ranged.headers.get('content-length')]).toEqual([200, '5'])
    const unchanged = { method: 'HEAD', headers: { 'if-none-match': `"${attachment.sha256}"` } }
    expect((await app.fetch(path, unchanged)).status).toBe(304)
    expect((await fetch(`${app.url}${path}0`, { method: 'HEAD' })).status).toBe(404)
  })

  test('while the task is in the trash its attachments are too, and come back with it', async () => {
    const task = await newTask(app)
    const attachment = await add(task, 'Hello')
    await app.fetch(`/tasks/${task}`, { method: 'DELETE' })
    expectProblem(await app.fetch(`/tasks/${task}/attachments`), 404)
    expect((await download(app, attachment)).status).toBe(404)
    expectProblem(await remove(task, attachment.id), 404)
    expectProblem(await upload(app, task, 'x'), 404)
    await app.fetch(`/tasks/${task}/restore`, { method: 'POST' })
    expect((await download(app, attachment)).bytes.toString()).toBe('Hello')
  })

  test('an attachment is found only at its own task', async () => {
    const attachment = await add(await newTask(app), 'Hello')
    const other = await newTask(app)
    expect((await download(app, { ...attachment, task_id: other })).status).toBe(404)
    expectProblem(await remove(other, attachment.id), 404)
    expect((await download(app, attachment)).status).toBe(200)
  })

  test.each([
    ['page.html', '<!doctype html><script>alert(document.domain)</script>', 'text/plain; charset=utf-8'],
    ['image.svg', '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>', 'text/plain; charset=utf-8'],
    [
      'page.xhtml',
      '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>',
      'text/plain; charset=utf-8',
    ],
    ['a.zip', 'PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0', 'application/zip'],
    ['worker.js', 'self.onfetch = () => {}', 'text/plain; charset=utf-8'],
  ])('%s can do nothing, whatever it is sent as', async (name, content, type) => {
    const { body } = await sendForm(app, await newTask(app), form([filePart(name), content]))
    expect(body).toMatchObject({ name, content_type: type })
    const { headers, bytes } = await download(app, body)
    expect(bytes.toString()).toBe(content)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': type,
      'content-disposition': `attachment; filename=${name}`,
      'content-security-policy': expect.stringContaining('sandbox'),
      'x-content-type-options': 'nosniff',
    })
  })

  test('with a key an upload is done once, and with another file the key is refused', async () => {
    const before = await kept()
    const task = await newTask(app)
    const key = { 'idempotency-key': `upload ${kind}` }
    const first = await upload(app, task, 'Hello', 'a.txt', key)
    const again = await upload(app, task, 'Hello', 'a.txt', key)
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body])
    expect([first, again].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true'])
    expectProblem(await upload(app, task, 'Hello!', 'a.txt', key), 422)
    expectProblem(await upload(app, task, 'Hello', 'b.txt', key), 422)
    expect((await app.fetch(`/tasks/${task}/attachments`)).body).toEqual([first.body])
    expect(await kept()).toBe(before + 1)

    const forgotten = { 'idempotency-key': `delete ${kind}` }
    for (let i = 0; i < 2; i++) expect((await remove(task, first.body.id, forgotten)).status).toBe(204)
    await eventually(async () => (await kept()) === before, 'the bytes are removed')
  })

  test('of ten uploads with one key at once one is kept', async () => {
    const before = await kept()
    const task = await newTask(app)
    const key = { 'idempotency-key': `at once ${kind}` }
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => upload(app, task, 'Hello', 'a.txt', key)),
    )
    for (const { status } of answers) expect([201, 409]).toContain(status)
    expect(answers.some(({ status }) => status === 201)).toBe(true)
    expect((await app.fetch(`/tasks/${task}/attachments`)).body).toHaveLength(1)
    await eventually(async () => (await kept()) === before + 1, 'one is kept')
  })

  test('readiness tells of the storage where it is a service', async () => {
    const { body } = await app.fetch('/health/ready')
    expect(body.checks.storage).toEqual(s3 && { status: 'up' })
  })

  test('who did what is logged, and no name of a file', async () => {
    const attachment = await add(await newTask(app), 'Hello', 'a-secret-name.txt')
    await remove(attachment.task_id, attachment.id)
    const who = { user: 'operator', taskId: attachment.task_id, attachmentId: attachment.id }
    expect(app.logged).toContainEqual(
      expect.objectContaining({ msg: 'attachment created', size: 5, ...who, reqId: expect.anything() }),
    )
    expect(app.logged).toContainEqual(expect.objectContaining({ msg: 'attachment deleted', ...who }))
    expect(JSON.stringify(app.logged)).not.toContain('a-secret-name')
  })

  test('no event tells of an attachment', async () => {
    const task = await newTask(app)
    const events = () => app.database.rows('SELECT id FROM events')
    const before = await events()
    await remove(task, (await add(task, 'Hello')).id)
    expect(await events()).toEqual(before)
  })
})
