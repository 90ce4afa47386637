import { once } from 'node:events'
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { connect, emptyDatabase } from '../support/empty-database.ts'
import { eventually } from '../support/eventually.ts'
import { freePort } from '../support/free-port.ts'
import { hangingPort } from '../support/hanging-port.ts'
import { hasNats, startNats } from '../support/nats.ts'
import { mentioning } from '../support/processes.ts'
import { rabbitUrl } from '../support/rabbitmq.ts'
import { redisUrl } from '../support/redis.ts'
import { launch, type Server, startServer, stop, temporaryFolder } from '../support/server.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

/** Starts, expects the start to fail, and returns everything that was said about it. */
async function failure(settings: Record<string, string>, dataDir = temporaryFolder()) {
  const before = mentioning(dataDir)
  const program = launch({ LOG_LEVEL: 'warn', ...settings }, dataDir)
  expect(await program.exited).toEqual({ code: 1, signal: null })
  expect(mentioning(dataDir)).toEqual(before)
  return [...program.out.map((line): string => JSON.parse(line).msg), ...program.err]
}

/** A port that is taken as long as the test runs, by a server that speaks no protocol. */
async function takenPort(): Promise<{ port: number } & Disposable> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address === 'string' || !address) throw new Error('no port')
  return { port: address.port, [Symbol.dispose]: () => void server.close() }
}

test.each(['1', '2'])('the port is in use, with WORKERS=%s', async (WORKERS) => {
  using taken = await takenPort()
  const lines = await failure({ PORT: String(taken.port), WORKERS })
  expect(lines).toEqual([
    `PORT ${taken.port} on 127.0.0.1 is in use by another program; stop it, or set another PORT`,
  ])
})

test('an address that is not of this machine', async () => {
  const lines = await failure({ HOST: '192.0.2.1', SECRET_KEY: 'a-secret-key-with-enough-bytes-for-it' })
  expect(lines).toEqual([
    expect.stringMatching(
      /^HOST and PORT cannot be listened on: .*EADDRNOTAVAIL.*; set another HOST or PORT$/,
    ),
  ])
})

test('wrong settings: one line for each', async () => {
  const lines = await failure({ PORT: '70000', LOG_LEVEL: 'loud', DATABASE_URL: 'mysql://root:geheim@db/x' })
  expect(lines).toEqual([
    'PORT must be a whole number from 0 to 65535, got "70000"',
    'DATABASE_URL must be a URL that begins with postgresql:// or postgres://',
    'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent, got "loud"',
  ])
})

test('the DATA_DIR of another server: its pid is named, and it does not notice', async () => {
  const server = await startServer()
  const lines = await failure({}, server.dataDir)
  expect(lines).toEqual([
    `DATA_DIR ${server.dataDir} is in use by another Taskwire server (pid ${server.pid}); stop it or set another DATA_DIR`,
  ])
  expect((await fetch(`${server.url}/health/ready`)).status).toBe(200)
})

test('a DATABASE_URL that nobody answers', async () => {
  const port = await freePort()
  const lines = await failure({ DATABASE_URL: `postgresql://taskwire:geheim@127.0.0.1:${port}/taskwire` })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^The database in DATABASE_URL cannot be used: .*ECONNREFUSED/)
  expect(lines[0]).not.toContain('geheim')
})

test('a DATABASE_URL that leads to something else than PostgreSQL', async () => {
  using taken = await takenPort()
  const lines = await failure({
    DATABASE_URL: `postgresql://taskwire:geheim@127.0.0.1:${taken.port}/taskwire`,
  })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^The database in DATABASE_URL cannot be used: /)
})

test('a DATABASE_URL that takes the connection and says nothing', async () => {
  const port = await hangingPort()
  const lines = await failure({ DATABASE_URL: `postgresql://taskwire:geheim@127.0.0.1:${port}/taskwire` })
  expect(lines).toEqual([expect.stringMatching(/^The database in DATABASE_URL cannot be used: .*timeout/i)])
})

test('a DATABASE_URL with a wrong password', async () => {
  // Of the embedded PostgreSQL, which asks everybody for theirs.
  const url = new URL(await emptyDatabase())
  url.password = 'geheim'
  expect(await failure({ DATABASE_URL: url.href })).toEqual([
    'The database in DATABASE_URL cannot be used: password authentication failed for user "taskwire"; taskwire doctor says what to do',
  ])
})

test('a start that fails after the port is open ends all the same', async () => {
  const url = await emptyDatabase()
  await stop(await startServer({ DATABASE_URL: url }))
  // Whether there is an admin is asked last.
  await (await connect(url)).query('ALTER TABLE users RENAME TO people')
  const lines = await failure({ DATABASE_URL: url, AUTH_MODE: 'required', LOG_LEVEL: 'fatal' })
  expect(lines).toEqual([expect.stringMatching(/^cannot go on: .*users/)])
})

test('a DATA_DIR that is a file', async () => {
  const file = join(temporaryFolder(), 'diary.txt')
  writeFileSync(file, 'mine')
  expect(await failure({ DATA_DIR: file })).toEqual([
    expect.stringMatching(`^DATA_DIR ${file} is not a folder \\(.*\\); set another DATA_DIR$`),
  ])
  expect(readFileSync(file, 'utf8')).toBe('mine')
})

test('files of others in DATA_DIR are left alone; in the folder of the cluster they stop the start', async () => {
  const dataDir = temporaryFolder()
  mkdirSync(join(dataDir, 'postgres'))
  for (const name of ['diary.txt', 'postgres/diary.txt']) writeFileSync(join(dataDir, name), 'mine')
  expect(await failure({}, dataDir)).toEqual([
    `${dataDir}/postgres is not empty and not a PostgreSQL cluster; move it away or set another DATA_DIR`,
  ])
  renameSync(join(dataDir, 'postgres'), join(dataDir, 'theirs'))
  await startServer({}, dataDir)
  for (const name of ['diary.txt', 'theirs/diary.txt'])
    expect(readFileSync(join(dataDir, name), 'utf8')).toBe('mine')
})

test('a disk that cannot be written, and one without room', async ({ skip }) => {
  const folder = temporaryFolder()
  {
    using disk = mountSmallDisk(join(folder, 'read-only'), 1e9, { readOnly: true })
    if (!disk) return skip('a disk of its own takes root and mount(8)')
    const DATA_DIR = join(folder, 'read-only')
    for (const name of [DATA_DIR, join(DATA_DIR, 'data')]) {
      expect(await failure({ DATA_DIR: name })).toEqual([
        expect.stringMatching(
          `^DATA_DIR ${name} is not writable by this user .*; allow it or set another DATA_DIR$`,
        ),
      ])
    }
    // Also where there is nothing to keep there but a key.
    const lines = await failure({ DATA_DIR, DATABASE_URL: await emptyDatabase() })
    expect(lines).toEqual([
      expect.stringMatching(/^SECRET_KEY is not set, and a key cannot be kept in .*EROFS/),
    ])
  }
  using _disk = mountSmallDisk(join(folder, 'small'), 16e6)
  const DATA_DIR = join(folder, 'small')
  // Else the cluster of root would be elsewhere, where PostgreSQL's user can go.
  for (const path of [folder, DATA_DIR]) chmodSync(path, 0o711)
  expect(await failure({ DATA_DIR })).toEqual([
    expect.stringMatching(
      `^no space left on the disk of DATA_DIR ${DATA_DIR} .*; make room and start again$`,
    ),
  ])
})

/** Optional services: their names in the log and in /health/ready. */
const services = { Redis: 'redis', NATS: 'nats', RabbitMQ: 'rabbitmq' }

/** Expects that the server works and logs once for each service that it is unavailable, with the reason. */
async function worksWithout(server: Server, reason: RegExp): Promise<void> {
  expect((await fetch(`${server.url}/tasks`, { method: 'POST' })).status).toBe(201)
  const ready = await fetch(`${server.url}/health/ready`)
  const { checks } = (await ready.json()) as { checks: Record<string, { status: string }> }
  expect(ready.status).toBe(200)
  for (const name of Object.values(services)) expect(checks[name]).toMatchObject({ status: 'down' })
  const told = (service: string) => server.logged().filter(({ msg }) => msg.startsWith(`${service} is `))
  await eventually(
    () => Object.keys(services).every((service) => told(service).length > 0),
    'all are told of',
    20_000,
  )
  for (const service of Object.keys(services)) {
    expect(told(service)).toMatchObject([{ level: 'warn', msg: expect.stringMatching(reason) }])
  }
  expect(await stop(server)).toMatchObject({ code: 0 })
}

async function everywhere(port: () => Promise<number>): Promise<Record<string, string>> {
  return {
    DATABASE_URL: await emptyDatabase(),
    REDIS_URL: `redis://127.0.0.1:${await port()}`,
    NATS_URL: `nats://127.0.0.1:${await port()}`,
    RABBITMQ_URL: `amqp://127.0.0.1:${await port()}`,
  }
}

test('services that refuse connections: a line for each, and the server works', async () => {
  const server = await startServer(await everywhere(freePort))
  await worksWithout(server, /ECONNREFUSED|refused/i)
})

test('services that take connections and say nothing: a line for each, and the server works', async () => {
  const server = await startServer(await everywhere(hangingPort))
  await worksWithout(server, /timeout|ETIMEDOUT|no answer/i)
}, 60_000)

test('services that do not know the password: a line for each, and the server works', async ({ skip }) => {
  if (!redisUrl || !hasNats || !rabbitUrl) return skip('needs Redis, nats-server and RabbitMQ')
  await using nats = await startNats(['--user', 'me', '--pass', 'right'], { user: 'me', pass: 'right' })
  const as = (url: string) => url.replace('://', '://stranger:geheim@')
  const server = await startServer({
    DATABASE_URL: await emptyDatabase(),
    REDIS_URL: as(redisUrl),
    NATS_URL: as(nats.url),
    RABBITMQ_URL: as(rabbitUrl),
  })
  await worksWithout(server, /WRONGPASS|authori[sz]ation violation|ACCESS.REFUSED/i)
  expect(server.out.join()).not.toContain('geheim')
})

test('two servers that migrate one database at once: both come up, and each migration is applied by one', async () => {
  const DATABASE_URL = await emptyDatabase()
  const servers = await Promise.all([startServer({ DATABASE_URL }), startServer({ DATABASE_URL })])
  expect(
    servers.flatMap((server) => server.logged()).filter(({ msg }) => msg === 'schema updated'),
  ).toHaveLength(1)
  for (const server of servers) {
    expect((await fetch(`${server.url}/tasks`, { method: 'POST' })).status).toBe(201)
    expect(server.logged().filter(({ level }) => level === 'error')).toEqual([])
  }
})
