import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { eventually } from '../../../test/support/eventually.ts'
import { openLog } from './logger.ts'

test('the file gets JSON lines with time and level, at the latest when the log is closed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'taskwire-log-'))
  const file = join(folder, 'app.log')
  {
    await using log = await openLog({ level: 'info', file })
    log.logger.info({ taskId: 1 }, 'task created')
    log.logger.debug('too fine')
    await eventually(() => existsSync(file), 'the file is there')
  }
  const lines = (await readFile(file, 'utf8')).trim().split('\n')
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0]!)).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    taskId: 1,
    msg: 'task created',
  })
  await rm(folder, { recursive: true })
})

test('a full disk ends neither the log nor the process', async ({ skip }) => {
  skip(!existsSync('/dev/full'), 'takes /dev/full')
  const logger = JSON.stringify(join(import.meta.dirname, 'logger.ts'))
  const script = `
    const { openLog } = await import(${logger})
    const log = await openLog({ level: 'info', file: '/dev/full' })
    for (let i = 0; i < 400; i++) log.logger.info({ i }, 'a line that finds no room')
    log.logger.info('still here')
    await log[Symbol.asyncDispose]()`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
    timeout: 10_000,
  })
  expect(stdout.trim().split('\n')).toHaveLength(401)
  expect(stdout).toContain('still here')
})
