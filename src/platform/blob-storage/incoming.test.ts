import { createHash, randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { receive, sweepIncoming } from './incoming.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'taskwire-incoming-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const inChunks = (bytes: Buffer, size: number) =>
  Readable.from(
    Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    ),
  )

test.each([0, 1, 4095, 4096, 4097, 100_000])(
  '%i bytes lie there until they are disposed of',
  async (size) => {
    const bytes = randomBytes(size)
    {
      await using file = await receive(folder, inChunks(bytes, 1000), size)
      expect(file).toMatchObject({ size, sha256: createHash('sha256').update(bytes).digest() })
      expect(file.head.equals(bytes.subarray(0, 4096))).toBe(true)
      expect((await readFile(file.path)).equals(bytes)).toBe(true)
      // Nobody else of this machine reads it.
      expect((await stat(file.path)).mode & 0o777).toBe(0o600)
    }
    expect(await readdir(folder)).toEqual([])
  },
)

test('one byte too many, and nothing is left', async () => {
  const large = receive(folder, inChunks(randomBytes(1001), 100), 1000)
  await expect(large).rejects.toMatchObject({ code: 'too-large', status: 413 })
  expect(await readdir(folder)).toEqual([])
})

test('a source that breaks off leaves nothing', async () => {
  const source = Readable.from(
    (function* () {
      yield randomBytes(1000)
      throw new Error('gone')
    })(),
  )
  await expect(receive(folder, source, 10_000)).rejects.toThrow('gone')
  expect(await readdir(folder)).toEqual([])
})

test.each(['ENOSPC', 'EDQUOT'])('a disk that is full (%s) is 507, and nothing is left', async (code) => {
  const error = Object.assign(new Error(`${code}: no space`), { code })
  const answer = (...given: unknown[]) => (given.at(-1) as (error: Error) => void)(error)
  const full = [vi.spyOn(fs, 'write'), vi.spyOn(fs, 'writev')]
  for (const spy of full) spy.mockImplementation(answer as never)
  onTestFinished(() => {
    for (const spy of full) spy.mockRestore()
  })
  const received = receive(folder, inChunks(randomBytes(5_000_000), 65_536), 5_000_000)
  await expect(received).rejects.toMatchObject({ code: 'insufficient-storage', status: 507 })
  expect(full.some((spy) => spy.mock.calls.length > 0)).toBe(true)
  expect(await readdir(folder)).toEqual([])
})

test('what was left long ago is swept, and what comes in now is not', async () => {
  await using coming = await receive(folder, inChunks(randomBytes(10), 10), 10)
  const left = join(folder, 'left')
  await writeFile(left, 'x')
  const now = Date.now() / 1000
  await utimes(left, now - 3700, now - 3700)
  await writeFile(join(folder, 'young'), 'x')
  await utimes(join(folder, 'young'), now - 3500, now - 3500)
  expect(await sweepIncoming(folder, 3_600_000)).toBe(1)
  expect((await readdir(folder)).sort()).toEqual([coming.path.slice(folder.length + 1), 'young'].sort())
  await rm(join(folder, 'young'))
  expect(await sweepIncoming(join(folder, 'absent'), 1)).toBe(0)
})
