import { appendFileSync, closeSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { dataFolder } from '../../../test/support/embedded-harness.ts'
import { logSince, logSize, trimLog } from './embedded-log.ts'

test('a log that is too long is cut under its writer, and one predecessor stays', () => {
  const folder = dataFolder()
  mkdirSync(folder)
  const file = join(folder, 'postgres.log')
  trimLog(file)
  const writer = openSync(file, 'a')
  writeSync(writer, 'short\n')
  trimLog(file)
  expect(logSize(file)).toBe(6)
  appendFileSync(file, 'x'.repeat(5_000_000))
  trimLog(file)
  const offset = logSize(file)
  writeSync(writer, 'after\n')
  closeSync(writer)
  expect(offset).toBe(0)
  expect(logSince(file, offset)).toBe('after\n')
  expect(readFileSync(`${file}.1`)).toHaveLength(5_000_006)
})
