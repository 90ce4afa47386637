import { utimes } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { beginUpload, filesOf, someBytes } from '../support/attachments.ts'
import { createTestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { kill } from '../support/processes.ts'
import { type Server, startServer, stop } from '../support/server.ts'

async function newTask({ url }: Server): Promise<number> {
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${url}/tasks`, { method: 'POST', headers, body: '{"title":"With files"}' })
  return ((await answer.json()) as { id: number }).id
}

async function upload({ url }: Server, task: number, content: Buffer): Promise<{ id: number }> {
  const body = new FormData()
  body.append('file', new Blob([new Uint8Array(content)]), 'file.bin')
  const answer = await fetch(`${url}/tasks/${task}/attachments`, { method: 'POST', body })
  expect(answer.status).toBe(201)
  return (await answer.json()) as { id: number }
}

async function download({ url }: Server, task: number, { id }: { id: number }): Promise<Buffer> {
  const answer = await fetch(`${url}/tasks/${task}/attachments/${id}`)
  expect(answer.status).toBe(200)
  return Buffer.from(await answer.arrayBuffer())
}

test('kill -9 in the middle of an upload leaves no attachment, and what had come in is swept', async () => {
  await using database = await createTestDatabase()
  const server = await startServer({ DATABASE_URL: database.url })
  const task = await newTask(server)
  const bytes = someBytes(100_000)
  const kept = await upload(server, task, bytes)
  const before = await filesOf(server.dataDir)
  const slow = await beginUpload(server, task)
  await slow.send(someBytes(3_000_000))
  kill(server.pid, 'SIGKILL')
  await server.exited
  slow.cut()

  const again = await startServer({ DATABASE_URL: database.url }, server.dataDir)
  expect(await database.rows('SELECT id FROM attachments')).toEqual([{ id: kept.id }])
  expect((await download(again, task, kept)).equals(bytes)).toBe(true)
  const [left, ...others] = (await filesOf(server.dataDir)).filter((path) => !before.includes(path))
  expect(others).toEqual([])
  // An hour goes by; the first upload, like the housekeeping, looks what is left.
  const old = Date.now() / 1000 - 3601
  await utimes(left!, old, old)
  await upload(again, task, bytes)
  expect(await filesOf(server.dataDir)).toEqual(expect.arrayContaining(before))
  expect(await filesOf(server.dataDir)).not.toContain(left)
  expect(await stop(again)).toMatchObject({ code: 0 })
})

test('an upload that is under way when the server is asked to stop is finished', async () => {
  await using database = await createTestDatabase()
  const server = await startServer({ DATABASE_URL: database.url })
  const task = await newTask(server)
  const slow = await beginUpload(server, task)
  kill(server.pid, 'SIGTERM')
  await eventually(() => server.logged().some(({ msg }) => msg === 'SIGTERM received, stopping'), 'it stops')
  expect((await slow.finish()).status).toBe(201)
  expect(await server.exited).toMatchObject({ code: 0 })
  expect(await database.rows('SELECT attached, size FROM attachments')).toEqual([{ attached: true, size: 5 }])
})

test('of several processes each serves what another took', async () => {
  await using database = await createTestDatabase()
  const server = await startServer({ DATABASE_URL: database.url, WORKERS: '2' })
  const task = await newTask(server)
  const files = Array.from({ length: 6 }, () => someBytes(50_000))
  const attachments = await Promise.all(files.map((bytes) => upload(server, task, bytes)))
  for (let round = 0; round < 3; round++) {
    const read = await Promise.all(attachments.map((one) => download(server, task, one)))
    expect(read.map((bytes, i) => bytes.equals(files[i]!))).toEqual(files.map(() => true))
  }
  expect(await stop(server)).toMatchObject({ code: 0 })
})
