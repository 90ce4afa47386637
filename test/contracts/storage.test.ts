import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  createDiskStorage,
  createS3Storage,
  type FileStorage,
  MissingFile,
  type ReceivedFile,
  receive,
} from '../../src/platform/blob-storage/index.ts'
import { eventually } from '../support/eventually.ts'
import { logTo } from '../support/log.ts'
import { startProxy, type TcpProxy } from '../support/proxy.ts'
import { BUCKET, startS3, type TestS3 } from '../support/s3.ts'

const lines: Record<string, unknown>[] = []
const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' }
const s3At = (endpoint: string, bucket = BUCKET) =>
  createS3Storage({ bucket, region: 'us-east-1', endpoint, credentials }, logTo(lines))

let folder: string
let s3: TestS3
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'taskwire-storage-'))
  s3 = await startS3()
})
afterAll(async () => {
  await s3?.[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const incoming = () => join(folder, 'incoming')
const received = (bytes: Buffer): Promise<ReceivedFile> =>
  receive(incoming(), Readable.from([bytes]), 2 ** 30)

describe.each(['disk', 's3'] as const)('files on %s', (kind) => {
  let storage: FileStorage
  beforeAll(() => {
    storage = kind === 'disk' ? createDiskStorage(folder) : s3At(s3.url)
  })
  afterAll(() => storage[Symbol.asyncDispose]())
  const keep = async (bytes: Buffer, key: string = randomUUID()) => {
    await using file = await received(bytes)
    await storage.keep(key, file)
    return key
  }

  test.each([0, 1, 65_536, 3_000_000])('%i bytes are read as they were kept', async (size) => {
    const bytes = randomBytes(size)
    const key = await keep(bytes)
    expect((await buffer(await storage.read(key, size))).equals(bytes)).toBe(true)
    expect(await readdir(incoming())).toEqual([])
  })

  test('a range is the slice of it', async () => {
    const bytes = randomBytes(200_000)
    const key = await keep(bytes)
    const edge = fc.integer({ min: 1, max: bytes.length - 1 })
    const edges = fc.tuple(edge, edge)
    const property = fc.asyncProperty(edges, async ([a, b]) => {
      const range = { start: Math.min(a, b), end: Math.max(a, b) }
      const part = await buffer(await storage.read(key, bytes.length, range))
      expect(part.equals(bytes.subarray(range.start, range.end + 1))).toBe(true)
    })
    // s3rver takes the end 0 for none.
    const examples: [[number, number]][] = [
      [kind === 's3' ? [0, 1] : [0, 0]],
      [[199_999, 199_999]],
      [[0, 199_999]],
    ]
    await fc.assert(property, { numRuns: 30, examples })
  })

  test('what is removed is missing, and may be removed again', async () => {
    const [key, other] = [await keep(randomBytes(10)), await keep(Buffer.from('other'))]
    for (let i = 0; i < 2; i++) {
      await storage.remove(key)
      await expect(storage.read(key, 10)).rejects.toThrow(MissingFile)
    }
    await storage.remove(randomUUID())
    expect((await buffer(await storage.read(other, 5))).toString()).toBe('other')
  })

  test('who reads has all of it, also when it is removed meanwhile', async () => {
    const bytes = randomBytes(8 * 2 ** 20)
    const key = await keep(bytes)
    const stream = await storage.read(key, bytes.length)
    const first = await new Promise<Buffer>((resolve) => stream.once('data', resolve))
    stream.pause()
    await storage.remove(key)
    expect(Buffer.concat([first, await buffer(stream)]).equals(bytes)).toBe(true)
  })

  test('a file that is not of its size is not sent', async () => {
    const key = await keep(randomBytes(10))
    for (const size of [9, 11]) await expect(storage.read(key, size)).rejects.toThrow(/has 10 bytes/)
  })

  test('20 at once are 20', async () => {
    const files = Array.from({ length: 20 }, () => randomBytes(100_000))
    const keys = await Promise.all(files.map((bytes) => keep(bytes)))
    const read = await Promise.all(keys.map(async (key) => buffer(await storage.read(key, 100_000))))
    expect(read.map((bytes, i) => bytes.equals(files[i]!))).toEqual(Array(20).fill(true))
  })

  test('it says that it can be used', async () => {
    await storage.check(1000)
  })
})

describe('S3 that is not there', () => {
  const away = expect.objectContaining({ code: 'unavailable', status: 503 })
  let proxy: TcpProxy
  let storage: FileStorage
  beforeAll(async () => {
    proxy = await startProxy(s3.url, 80)
    storage = s3At(proxy.url)
  })
  afterAll(async () => {
    await storage[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
  })

  test('is unavailable whatever is asked of it, is told of once, and works when it is back', async () => {
    await using file = await received(randomBytes(100_000))
    await storage.keep('kept', file)
    await proxy.refuse()
    const told = lines.length
    await expect(storage.keep('other', file)).rejects.toEqual(away)
    await expect(storage.read('kept', 100_000)).rejects.toEqual(away)
    await expect(storage.remove('kept')).rejects.toEqual(away)
    await expect(storage.check(1000)).rejects.toEqual(away)
    await proxy.restore()
    await storage.check(1000)
    expect(await s3.keys()).toContain('kept')
    await storage.remove('kept')
    expect(lines.slice(told)).toMatchObject([
      { level: 40, msg: expect.stringMatching(/^the storage of attachments is unavailable: .*ECONNREFUSED/) },
      { level: 30, msg: 'the storage of attachments is available again' },
    ])
  })

  test('is given up when it does not answer in time', async () => {
    proxy.hang()
    const started = performance.now()
    await expect(storage.check(200)).rejects.toEqual(away)
    expect(performance.now() - started).toBeLessThan(2000)
    await proxy.restore()
  })

  test('a connection that is cut in the middle of a file is made again, and the file is whole', async () => {
    const bytes = randomBytes(20 * 2 ** 20)
    await using file = await received(bytes)
    const before = proxy.connections
    proxy.cut()
    proxy.hang()
    const kept = storage.keep('cut', file)
    await eventually(() => proxy.connections > before, 'it is being sent')
    proxy.cut()
    await proxy.restore()
    await kept
    expect(proxy.connections).toBe(before + 2)
    expect((await buffer(await storage.read('cut', bytes.length))).equals(bytes)).toBe(true)
  })

  test('a reader hears of a connection that is cut', async () => {
    await using file = await received(randomBytes(20 * 2 ** 20))
    await storage.keep('read', file)
    const stream = await storage.read('read', file.size)
    await new Promise((resolve) => stream.once('data', resolve))
    stream.pause()
    proxy.cut()
    await expect(buffer(stream)).rejects.toThrow()
  })

  test('a bucket that is not there, and a key that is not known, are the same', async () => {
    const other = s3At(s3.url, 'nobody')
    onTestFinished(() => other[Symbol.asyncDispose]())
    await using file = await received(randomBytes(10))
    await expect(other.keep('x', file)).rejects.toEqual(away)
    await expect(other.read('x', 10)).rejects.toEqual(away)
    await expect(other.check(1000)).rejects.toEqual(away)
  })
})
