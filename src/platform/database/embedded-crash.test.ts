import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import {
  childrenOf,
  dataFolder,
  gone,
  query,
  start,
  startProcess,
  until,
} from '../../../test/support/embedded-harness.ts'
import { processIdentity } from './embedded-lock.ts'

test('kill -9 of the server alone: PostgreSQL stops by itself and the next start is clean', async () => {
  const dataDir = dataFolder()
  const { answer, kill } = await startProcess(dataDir)
  await query(answer.connection!, 'CREATE TABLE t AS SELECT 42 AS n')
  await kill()
  await gone(answer.pid!)
  expect(readFileSync(join(dataDir, 'postgres.log'), 'utf8')).toMatch(/fast shutdown.*is shut down/s)
  const { postgres } = await start(dataDir)
  expect(await query(postgres.connection, 'SELECT n FROM t')).toEqual([{ n: 42 }])
})

test('kill -9 of server and watchdog: the orphan is replaced and its rows stay', async () => {
  const dataDir = dataFolder()
  const server = await startProcess(dataDir)
  const orphan = server.answer.pid!
  await query(server.answer.connection!, 'CREATE TABLE t AS SELECT 42 AS n')
  const [watchdog] = childrenOf(server.node)
  const helper = childrenOf(watchdog!).find((pid) => pid !== orphan)
  for (const pid of [helper, watchdog]) process.kill(pid!, 'SIGKILL')
  await server.kill()
  expect(processIdentity(orphan)).toBeDefined()

  const { postgres, lines } = await start(dataDir)
  expect(lines.join()).toContain(`left behind (pid ${orphan})`)
  expect(processIdentity(orphan)).toBeUndefined()
  expect(await query(postgres.connection, 'SELECT n FROM t')).toEqual([{ n: 42 }])
})

test('kill -9 of the postmaster under load: it is back, and every acknowledged row is there', async () => {
  const { postgres, lines } = await start(dataFolder())
  const { connection, pid: first } = postgres
  await query(connection, 'CREATE TABLE t (n int PRIMARY KEY)')
  const pool = new pg.Pool({ ...connection, max: 4 })
  pool.on('error', () => {})
  const acknowledged: number[] = []
  let next = 0
  let writing = true
  const write = async () => {
    while (writing) {
      const n = next++
      await pool.query('INSERT INTO t VALUES ($1)', [n]).then(
        () => acknowledged.push(n),
        () => new Promise(setImmediate),
      )
    }
  }
  const writers = [write(), write(), write(), write()]
  await until(() => acknowledged.length > 200)
  process.kill(first!, 'SIGKILL')
  const before = acknowledged.length
  await until(
    () => postgres.pid !== undefined && postgres.pid !== first && acknowledged.length > before + 200,
  )
  writing = false
  await Promise.all(writers)
  await pool.end()
  const rows = new Set((await query(connection, 'SELECT n FROM t')).map(({ n }) => n))
  expect(acknowledged.filter((n) => !rows.has(n))).toEqual([])
  expect(lines.join()).toContain('PostgreSQL ended unexpectedly')
})

test('kill -9 of the watchdog: PostgreSQL gets a new one', async () => {
  const { postgres } = await start(dataFolder())
  const first = postgres.pid!
  const watchdog = childrenOf(process.pid).find((pid) => childrenOf(pid).includes(first))!
  process.kill(watchdog, 'SIGKILL')
  await until(() => postgres.pid !== undefined && postgres.pid !== first)
  expect(processIdentity(first)).toBeUndefined()
  expect(await query(postgres.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
})

test('a backend that is still busy keeps a second postmaster out until it ends', async () => {
  const { postgres, lines } = await start(dataFolder())
  const client = new pg.Client(postgres.connection)
  client.on('error', () => {})
  await client.connect()
  const [{ pid: backend }] = (await client.query('SELECT pg_backend_pid() AS pid')).rows
  // Busy in one function call, so it does not look whether its postmaster lives.
  const busy = client.query(`SELECT length(repeat('x', 900000000))`).catch(() => {})
  process.kill(backend, 'SIGSTOP')
  process.kill(postgres.pid!, 'SIGKILL')
  await until(() => lines.some((line) => line.includes('pre-existing shared memory block')))
  expect(postgres.pid).toBeUndefined()
  process.kill(backend, 'SIGKILL')
  await until(() => postgres.pid !== undefined)
  await busy
  await client.end().catch(() => {})
})

test('while it cannot start it is tried again, and stop ends that', async () => {
  const dataDir = dataFolder()
  const { postgres, lines } = await start(dataDir)
  const file = join(dataDir, 'postgres/postgresql.conf')
  const good = readFileSync(file)
  writeFileSync(file, 'nonsense = 1\n')
  process.kill(postgres.pid!, 'SIGKILL')
  const failures = () => lines.filter((line) => line.includes('parameter "nonsense"')).length
  await until(() => failures() >= 2)
  expect(postgres.pid).toBeUndefined()
  await postgres.stop()
  writeFileSync(file, good)
  await start(dataDir)
})

test('an initdb killed in the middle leaves nothing in the way', async () => {
  const dataDir = dataFolder()
  const drafts = () => readdirSync(dataDir).filter((name) => name.startsWith('postgres.initdb-'))
  mkdirSync(dataDir, { recursive: true })
  await startProcess(dataDir, {
    begun: async (pid) => {
      await until(() => drafts().some((name) => readdirSync(join(dataDir, name)).includes('data')))
      process.kill(pid, 'SIGKILL')
    },
  })
  expect(drafts()).toHaveLength(1)
  const { postgres } = await start(dataDir)
  expect(await query(postgres.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await until(() => drafts().length === 0)
})

test.each(['a stranger', 'a zombie'])('a stale postmaster.pid that names %s is no obstacle', async (kind) => {
  const dataDir = dataFolder()
  const first = await start(dataDir)
  const file = join(dataDir, 'postgres/postmaster.pid')
  const lines = readFileSync(file, 'utf8').split('\n')
  const owner = statSync(join(dataDir, 'postgres'))
  await first.postgres.stop()

  // The zombie's parent has become a program that reaps no children.
  const script = kind === 'a zombie' ? 'true & echo $!; exec sleep 600' : 'echo $$; exec sleep 600'
  const { uid, gid } = owner
  const child = spawn('/bin/sh', ['-c', script], {
    ...(process.getuid?.() === 0 ? { uid, gid } : {}),
    cwd: '/',
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const pid = String((await once(child.stdout, 'data'))[0]).trim()
  if (kind === 'a zombie') await gone(Number(pid))
  writeFileSync(file, [pid, ...lines.slice(1)].join('\n'))
  const second = await start(dataDir)
  expect(await query(second.postgres.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  expect(child.exitCode).toBeNull()
})
