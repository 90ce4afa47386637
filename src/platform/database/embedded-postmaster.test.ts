import { spawn } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { dataFolder, query, start } from '../../../test/support/embedded-harness.ts'

// After kill -9 both locks name a pid that may be a zombie for a while, or another process by now.
test('locks of the folder and of the socket that name a stranger are no obstacle', async () => {
  const dataDir = dataFolder()
  const first = await start(dataDir)
  const cluster = join(dataDir, 'postgres')
  const locks = ['postmaster.pid', '.s.PGSQL.5432.lock'].map((name) => join(cluster, name))
  const texts = locks.map((lock) => readFileSync(lock, 'utf8'))
  const { uid, gid } = statSync(cluster)
  await first.postgres.stop()
  expect(locks.filter(existsSync)).toEqual([])

  const stranger = spawn('sleep', ['600'], { ...(process.getuid?.() === 0 && { uid, gid }), cwd: '/' })
  onTestFinished(() => void stranger.kill('SIGKILL'))
  locks.forEach((lock, index) => {
    writeFileSync(lock, texts[index]!.replace(/^\d+/, String(stranger.pid)))
  })
  const second = await start(dataDir)
  expect(await query(second.postgres.connection, 'SELECT 1 AS one')).toEqual([{ one: 1 }])
  expect(stranger.exitCode).toBeNull()
})
