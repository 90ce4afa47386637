import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { dataFolder, isRoot, query, start, startProcess } from '../../../test/support/embedded-harness.ts'
import { StartupError } from '../../core/errors.ts'
import { ownerCan } from './embedded-owner.ts'

async function refusal(dataDir: string): Promise<string> {
  const error = await start(dataDir).then(
    () => undefined,
    (error: unknown) => error,
  )
  expect(error).toBeInstanceOf(StartupError)
  expect((error as Error).message).not.toContain('\n')
  return (error as Error).message
}

test('a second server on the same folder is told the pid of the first', async () => {
  const dataDir = dataFolder()
  const { node, answer, kill } = await startProcess(dataDir)
  expect(await refusal(dataDir)).toBe(
    `DATA_DIR ${dataDir} is in use by another Taskwire server (pid ${node}); stop it or set another DATA_DIR`,
  )
  expect(await query(answer.connection!, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  await kill()
  await start(dataDir)
})

test('of starts at the same instant on a fresh folder exactly one wins', async () => {
  const dataDir = dataFolder()
  const servers = await Promise.all(Array.from({ length: 4 }, () => startProcess(dataDir)))
  const [winner, ...others] = servers.filter(({ answer }) => answer.pid !== undefined)
  expect(others).toEqual([])
  const losers = servers.filter((server) => server !== winner)
  const named = losers.map(({ answer }) => /another Taskwire server \(pid (\d+)\)/.exec(answer.message!)?.[1])
  expect(named).toEqual(losers.map(() => String(winner!.node)))
  expect(readdirSync(dataDir).filter((name) => name.startsWith('postgres.lock'))).toEqual(['postgres.lock.1'])
})

test('a foreign folder is left alone', async () => {
  const dataDir = dataFolder()
  mkdirSync(join(dataDir, 'postgres'), { recursive: true })
  writeFileSync(join(dataDir, 'postgres/diary.txt'), 'mine')
  expect(await refusal(dataDir)).toMatch(/postgres is not empty and not a PostgreSQL cluster; move it away/)
  expect(readFileSync(join(dataDir, 'postgres/diary.txt'), 'utf8')).toBe('mine')
})

test('data of another major version name both versions', async () => {
  const dataDir = dataFolder()
  mkdirSync(join(dataDir, 'postgres'), { recursive: true })
  writeFileSync(join(dataDir, 'postgres/PG_VERSION'), '19\n')
  expect(await refusal(dataDir)).toMatch(/holds data of PostgreSQL 19, but this Taskwire runs PostgreSQL 18/)
})

test('what PostgreSQL itself complains about is passed on, and the lock is free again', async () => {
  const dataDir = dataFolder()
  const first = await start(dataDir)
  await first.postgres.stop()
  const file = join(dataDir, 'postgres/postgresql.conf')
  const good = readFileSync(file)
  writeFileSync(file, 'nonsense = 1\n')
  expect(await refusal(dataDir)).toMatch(
    /does not start in DATA_DIR .*: .*unrecognized configuration parameter "nonsense"/,
  )
  writeFileSync(file, good)
  await start(dataDir)
})

test('a link to a folder that is gone is not taken for an empty database', async () => {
  const dataDir = dataFolder()
  mkdirSync(dataDir)
  symlinkSync('/nonexistent/postgres', join(dataDir, 'postgres'))
  expect(await refusal(dataDir)).toMatch(/links to a folder that is missing/)
  rmSync(join(dataDir, 'postgres'))
})

test('a server out of sight that answers on the socket keeps us out', async () => {
  const dataDir = dataFolder()
  const first = await start(dataDir)
  const file = join(dataDir, 'postgres/postmaster.pid')
  const [, ...lines] = readFileSync(file, 'utf8').split('\n')
  await first.postgres.stop()
  const other = createServer().listen(join(dataDir, 'postgres/.s.PGSQL.5432'))
  onTestFinished(() => void other.close())
  writeFileSync(file, ['4194303', ...lines].join('\n'))
  expect(await refusal(dataDir)).toMatch(/cannot be seen from here \(pid 4194303, another container\?\)/)
})

const nobody = { uid: 65534, gid: 65534 }
const ORDINARY_USER = 'to act as another user takes root, and a checkout that user can read'
const readable = isRoot && ownerCan(nobody, '-r', new URL(import.meta.url).pathname)
test('a DATA_DIR that cannot be written', async ({ skip }) => {
  skip(!readable, ORDINARY_USER)
  const dataDir = dataFolder()
  mkdirSync(dataDir)
  const { answer } = await startProcess(dataDir, { user: nobody })
  expect(answer).toMatchObject({ name: 'StartupError' })
  expect(answer.message).toMatch(/^DATA_DIR .* is not writable by this user \(EACCES/)
})

test("another user's cluster", async ({ skip }) => {
  skip(!readable, ORDINARY_USER)
  const dataDir = dataFolder()
  mkdirSync(join(dataDir, 'postgres'), { recursive: true })
  chmodSync(dataDir, 0o777)
  const { answer } = await startProcess(dataDir, { user: nobody })
  expect(answer.message).toMatch(/belongs to the user with uid 0; start Taskwire as that user/)
})

test('a full disk', async ({ skip }) => {
  const dataDir = dataFolder()
  mkdirSync(dataDir)
  const mounted =
    isRoot && spawnSync('/bin/mount', ['-t', 'tmpfs', '-o', 'size=90m', 'tmpfs', dataDir]).status === 0
  skip(!mounted, 'a small disk of its own takes root and mount(8)')
  onTestFinished(() => void spawnSync('/bin/umount', ['-l', dataDir]))
  const filler = join(dataDir, 'filler')
  writeFileSync(filler, Buffer.alloc(70_000_000))
  const full = /^no space left on the disk of DATA_DIR .* \(\d+ MB free\); make room and start again$/
  expect(await refusal(dataDir)).toMatch(full)
  rmSync(filler)
  const first = await start(dataDir)
  await first.postgres.stop()
  expect(spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k']).status).toBe(1)
  expect(await refusal(dataDir)).toMatch(full)
  rmSync(filler)
  await start(dataDir)
})
