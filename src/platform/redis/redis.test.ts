import { createServer } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { logTo } from '../../../test/support/log.ts'
import {
  openTestRedis,
  type RedisProxy,
  redisUrl,
  startRedisProxy,
  type TestRedis,
} from '../../../test/support/redis.ts'
import { luaScript, openRedis, type Redis } from './redis.ts'

const unavailable = { name: 'DomainError', code: 'unavailable' }
let lines: Record<string, unknown>[] = []
const told = () => lines.map(({ level, msg }) => `${level} ${String(msg).split(':')[0]}`)
const [away, back] = ['40 Redis is unavailable', '30 Redis is available again']

beforeEach(() => {
  lines = []
})

test('without a server it opens all the same, and everything is unavailable', async () => {
  await using redis = await openRedis('redis://somebody:secret-canary@127.0.0.1:1', logTo(lines))
  await expect(redis.send(['PING'])).rejects.toMatchObject(unavailable)
  await expect(redis.script(luaScript('return 1'), [], [])).rejects.toMatchObject(unavailable)
  await expect(redis.ping(100)).rejects.toMatchObject(unavailable)
  expect(told()).toEqual([away])
  expect(JSON.stringify(lines)).not.toContain('secret-canary')
})

test.each([
  'redis://x:secret-canary@host/words',
  'redis://x:secret-canary%@host',
  'redis://x:secret-canary@',
])('%s is refused without telling the password', async (url) => {
  const error = await openRedis(url, logTo(lines)).then(undefined, (reason) => reason)
  expect(error).toMatchObject({ name: 'StartupError' })
  expect(error.message).toContain('REDIS_URL')
  expect(error.stack + JSON.stringify(error)).not.toContain('secret-canary')
})

test.each([
  ['LOADING Redis is loading the dataset in memory', unavailable],
  ["READONLY You can't write against a read only replica.", unavailable],
  ["MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.", unavailable],
  ["OOM command not allowed when used memory > 'maxmemory'.", unavailable],
  ['ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed when', unavailable],
  ['ERR unknown command', { name: 'Error', message: 'ERR unknown command' }],
  ['WRONGTYPE Operation against a key', { name: 'Error', message: 'WRONGTYPE Operation against a key' }],
])('%s', async (reply, expected) => {
  // Only the handshake and what follows: no real server can be brought to say all of these.
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const _ of String(data).matchAll(/(HELLO|CLIENT)\r\n/g)) socket.write('+OK\r\n')
      if (String(data).includes('GET')) socket.write(`-${reply}\r\n`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  try {
    await using redis = await openRedis(`redis://127.0.0.1:${port}`, logTo(lines))
    await expect(redis.send(['GET', 'key'])).rejects.toMatchObject(expected)
  } finally {
    server.close()
  }
})

describe.skipIf(!redisUrl)('with a server', () => {
  let own: TestRedis
  let proxy: RedisProxy
  let redis: Redis

  beforeEach(async () => {
    own = await openTestRedis()
    proxy = await startRedisProxy()
    redis = await openRedis(proxy.url, logTo(lines))
  })
  afterEach(async () => {
    await redis[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await own[Symbol.asyncDispose]()
  })
  const answers = () =>
    redis.ping(1000).then(
      () => true,
      () => false,
    )

  test('a healthy connection answers at once and logs nothing', async () => {
    const key = `${own.prefix}:a`
    expect(await redis.send(['HSET', key, 'text', 'один\r\n', 'number', '7'])).toBe(2)
    expect(await redis.send(['HGETALL', key])).toEqual({ text: 'один\r\n', number: '7' })
    expect(await redis.send(['GET', `${own.prefix}:none`])).toBe(null)
    await expect(redis.send(['INCR', key])).rejects.toMatchObject({ message: /^WRONGTYPE/ })
    expect(told()).toEqual([])
  })

  test('a script runs, whether Redis knows it or not', async () => {
    const script = luaScript(`return {KEYS[1], ARGV[1], tonumber(ARGV[2]), '${own.prefix}'}`)
    for (const known of [0, 1]) {
      expect(await own.send(['SCRIPT', 'EXISTS', script.sha1])).toEqual([known])
      expect(await redis.script(script, ['key'], ['text', 7])).toEqual(['key', 'text', 7, own.prefix])
    }
    await expect(redis.script(luaScript('return nonsense('), [], [])).rejects.toMatchObject({
      name: expect.not.stringMatching('DomainError'),
    })
  })

  test('a server that goes away is told of once, and is found again', async () => {
    await proxy.refuse()
    await eventually(() => lines.length > 0, 'the loss is noticed')
    const start = performance.now()
    for (let i = 0; i < 100; i++) await expect(redis.send(['PING'])).rejects.toMatchObject(unavailable)
    expect(performance.now() - start).toBeLessThan(1000)
    const { connections } = proxy
    await proxy.restore()
    await eventually(answers, 'an answer')
    expect(proxy.connections).toBe(connections + 1)
    expect(told()).toEqual([away, back])
  })

  test('commands on a connection that breaks are unavailable, and the next are answered', async () => {
    proxy.hang()
    const pending = redis.send(['PING'])
    proxy.cut()
    await expect(pending).rejects.toMatchObject(unavailable)
    await proxy.restore()
    await eventually(answers, 'an answer')
    expect(told()).toEqual([away, back])
  })

  test('a server that hangs holds a command for a second, and is asked on a new connection', async () => {
    proxy.hang()
    const start = performance.now()
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => redis.send(['PING'])))
    expect(results.map((result) => result.status === 'rejected' && result.reason.code)).toEqual(
      Array(10).fill('unavailable'),
    )
    const took = performance.now() - start
    expect(took).toBeGreaterThan(900)
    expect(took).toBeLessThan(2500)
    expect(told()).toEqual([away])
    await eventually(() => proxy.connections === 2, 'a new connection')
    await proxy.restore()
    await eventually(answers, 'an answer')
    expect(told()).toEqual([away, back])
    expect(proxy.connections).toBe(2)
  })

  test('a connection that hangs while it is made is given up too', async () => {
    proxy.hang()
    await expect(redis.send(['PING'])).rejects.toMatchObject(unavailable)
    await eventually(() => proxy.connections >= 3, 'the next attempt', 15_000)
    await proxy.restore()
    await eventually(answers, 'an answer')
    expect(told()).toEqual([away, back])
  })

  test('a stall of this process is not taken for one of Redis', async () => {
    // Without the proxy, which is in this process too.
    await using direct = await openRedis(own.url, logTo(lines))
    const pending = direct.send(['PING'])
    // The command is written in the next turn.
    await new Promise((resolve) => setImmediate(resolve))
    const end = performance.now() + 1200
    while (performance.now() < end);
    expect(await pending).toBe('PONG')
    expect(told()).toEqual([])
  })

  test('after it is disposed everything is unavailable, and nothing is logged', async () => {
    await redis[Symbol.asyncDispose]()
    await expect(redis.send(['PING'])).rejects.toMatchObject(unavailable)
    expect(told()).toEqual([])
  })
})
