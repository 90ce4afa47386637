import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dataFolder, query, start, startProcess } from '../../../test/support/embedded-harness.ts'
import { processIdentity } from './embedded-lock.ts'
import { connectEmbedded } from './embedded-running.ts'

const log = { info() {}, warn() {}, error() {} }

test('a second process finds the one that runs, and none before and after', async () => {
  const dataDir = dataFolder()
  expect(await connectEmbedded({ dataDir, log })).toBeUndefined()
  const { postgres } = await start(dataDir)
  const connection = await connectEmbedded({ dataDir, log })
  expect(connection).toEqual(postgres.connection)
  expect(await query(connection!, 'SELECT current_user::text AS who')).toEqual([{ who: 'taskwire' }])
  await postgres.stop()
  expect(await connectEmbedded({ dataDir, log })).toBeUndefined()
})

test('one that is starting is waited for', async () => {
  const dataDir = dataFolder()
  const starting = start(dataDir)
  const [connection, { postgres }] = await Promise.all([connectEmbedded({ dataDir, log }), starting])
  expect(connection).toEqual(postgres.connection)
})

test('what a killed server left behind is not taken for a running one', async () => {
  const dataDir = dataFolder()
  const server = await startProcess(dataDir)
  expect(server.answer.message).toBeUndefined()
  await server.kill()
  expect(await connectEmbedded({ dataDir, log })).toBeUndefined()
})

test('a server whose PostgreSQL is away is waited for, and after it has ended there is none', async () => {
  const dataDir = dataFolder()
  const { postgres } = await start(dataDir)
  await postgres.stop()
  const lock = join(dataDir, 'postgres.lock.9')
  writeFileSync(lock, `${process.pid} ${processIdentity(process.pid)}\n`)
  let over = false
  const found = connectEmbedded({ dataDir, log }).finally(() => {
    over = true
  })
  await query(postgres.connection, 'SELECT').catch(() => {})
  expect(over).toBe(false)
  writeFileSync(lock, '')
  expect(await found).toBeUndefined()
})
