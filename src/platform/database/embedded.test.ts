import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dataFolder, isRoot, query, start, startProcess } from '../../../test/support/embedded-harness.ts'
import { ownerCan } from './embedded-owner.ts'

const posix = process.platform !== 'win32'

test('a fresh folder gets a durable cluster that keeps its rows', async () => {
  const dataDir = dataFolder()
  const first = await start(dataDir)
  const { connection } = first.postgres
  const shown = [
    'fsync',
    'synchronous_commit',
    'full_page_writes',
    'data_checksums',
    'listen_addresses',
    'jit',
  ]
  const values = await Promise.all(
    shown.map(async (name) => Object.values((await query(connection, `SHOW ${name}`))[0]!)[0]),
  )
  expect(values).toEqual(['on', 'on', 'on', 'on', posix ? '' : '127.0.0.1', 'off'])
  await query(connection, 'CREATE TABLE t AS SELECT 42 AS n')
  await first.postgres.stop()
  await first.postgres.stop()
  expect(first.postgres.pid).toBeUndefined()

  const second = await start(dataDir)
  expect(await query(second.postgres.connection, 'SELECT n FROM t')).toEqual([{ n: 42 }])
  expect(second.lines.filter((line) => !line.includes('runs in'))).toEqual([])
})

test('Russian words lose case, endings and quotes', async () => {
  const { postgres } = await start(dataFolder())
  const sql = `SELECT lower('ЁЖ') AS low, to_tsvector('russian', '«Приветы», мир — тест…')::text AS words`
  expect(await query(postgres.connection, sql)).toEqual([{ low: 'ёж', words: "'мир':2 'привет':1 'тест':3" }])
})

test('only the password in a private file opens it, for an ordinary role', async () => {
  const dataDir = dataFolder()
  const { postgres } = await start(dataDir)
  const wrong = { ...postgres.connection, password: 'guess' }
  await expect(query(wrong, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  await expect(query({ ...wrong, user: 'postgres' }, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' })
  await expect(query(postgres.connection, `COPY (SELECT 1) TO PROGRAM 'true'`)).rejects.toMatchObject({
    code: '42501',
  })
  expect(readFileSync(join(dataDir, 'postgres.password'), 'utf8').trim()).toBe(postgres.connection.password)
  expect(statSync(join(dataDir, 'postgres.password')).mode & 0o777).toBe(0o600)
  if (posix) expect(statSync(postgres.connection.host).mode & 0o077).toBe(0)
})

test('a lost password is set anew and the rows stay', async () => {
  const dataDir = dataFolder()
  const first = await start(dataDir)
  await query(first.postgres.connection, 'CREATE TABLE t AS SELECT 42 AS n')
  await first.postgres.stop()
  rmSync(join(dataDir, 'postgres.password'))
  const second = await start(dataDir)
  expect(second.postgres.connection.password).not.toBe(first.postgres.connection.password)
  expect(await query(second.postgres.connection, 'SELECT n FROM t')).toEqual([{ n: 42 }])
})

test('a path too long for a unix socket gets its socket elsewhere, again in the same place', async () => {
  const dataDir = join(dataFolder(), 'long-'.repeat(30), 'папка')
  const first = await start(dataDir)
  const { host } = first.postgres.connection
  expect(host.length).toBeLessThan(90)
  if (posix) expect(statSync(host).mode & 0o777).toBe(0o700)
  await first.postgres.stop()
  const second = await start(dataDir)
  expect(second.postgres.connection.host).toBe(host)
  await second.postgres.stop()

  // Somebody else's folder under that name, open to all, is not used.
  mkdirSync(host, { mode: 0o777 })
  writeFileSync(join(host, 'bait'), '')
  const third = await start(dataDir)
  expect(third.postgres.connection.host).not.toBe(host)
  await third.postgres.stop()
  rmSync(host, { recursive: true })
  expect(existsSync(third.postgres.connection.host)).toBe(false)
})

test('root: PostgreSQL runs as another user, who is let through to DATA_DIR alone', async ({ skip }) => {
  skip(!isRoot, 'takes root')
  const dataDir = dataFolder()
  mkdirSync(dataDir, { mode: 0o700 })
  const { postgres } = await start(dataDir)
  const { uid, gid } = statSync(join(dataDir, 'postgres'))
  expect(uid).not.toBe(0)
  expect(statSync(`/proc/${postgres.pid}`).uid).toBe(uid)
  expect(statSync(dataDir)).toMatchObject({ uid: 0, gid })
  expect(statSync(dataDir).mode & 0o777).toBe(0o710)
})

test('root: below a private home the cluster is elsewhere, and nobody gains access', async ({ skip }) => {
  skip(!isRoot, 'takes root')
  const dataDir = dataFolder(0o700)
  const first = await start(dataDir)
  expect(lstatSync(join(dataDir, 'postgres')).isSymbolicLink()).toBe(true)
  expect(realpathSync(join(dataDir, 'postgres'))).toMatch(/^\/var\/lib\/taskwire\//)
  expect(statSync(join(dataDir, '..')).mode & 0o777).toBe(0o700)
  expect(first.lines[0]).toContain('its data are in /var/lib/taskwire/')
  await query(first.postgres.connection, 'CREATE TABLE t AS SELECT 42 AS n')
  await first.postgres.stop()
  const second = await start(dataDir)
  expect(await query(second.postgres.connection, 'SELECT n FROM t')).toEqual([{ n: 42 }])
})

const nobody = { uid: 65534, gid: 65534 }
const readable = isRoot && ownerCan(nobody, '-r', new URL(import.meta.url).pathname)
test('an ordinary user runs it as itself', async ({ skip }) => {
  skip(!readable, 'to act as another user takes root, and a checkout that user can read')
  const home = join(dataFolder(0o777), '..')
  const { answer } = await startProcess(join(home, 'data'), { user: nobody })
  expect(answer.message).toBeUndefined()
  expect(statSync(join(home, 'data/postgres')).uid).toBe(nobody.uid)
  expect(await query(answer.connection!, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
})
