import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { dataFolder, start } from '../../../test/support/embedded-harness.ts'
import { logTo } from '../../../test/support/log.ts'
import { StartupError } from '../../core/errors.ts'
import { loadSecretKeys } from './secret-keys.ts'

function load(dataDir: string, more: { SECRET_KEY?: string[]; DATABASE_URL?: string } = {}) {
  const lines: Record<string, unknown>[] = []
  const config = { SECRET_KEY: [], DATABASE_URL: undefined, DATA_DIR: dataDir, ...more }
  return { keys: loadSecretKeys(config, logTo(lines)), lines }
}

function refusal(dataDir: string): string {
  try {
    load(dataDir)
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError)
    expect((error as Error).message).not.toContain('\n')
    return (error as Error).message
  }
  throw new Error('it was not refused')
}

const WARN = 40

test('the keys that are set are taken, and nothing is made', () => {
  const dataDir = dataFolder()
  const { keys, lines } = load(dataDir, { SECRET_KEY: ['first', 'second'], DATABASE_URL: 'postgresql://db' })
  expect(keys).toEqual(['first', 'second'])
  expect(lines).toEqual([])
  expect(readdirSync(dirname(dataDir))).toEqual([])
})

test('without one, a key is made that only this user reads, and stays the same', () => {
  const dataDir = dataFolder()
  const { keys, lines } = load(dataDir)
  expect(keys).toEqual([expect.stringMatching(/^[\w-]{43}$/)])
  expect(readFileSync(join(dataDir, 'secret-key'), 'utf8')).toBe(`${keys[0]}\n`)
  expect(statSync(join(dataDir, 'secret-key')).mode & 0o777).toBe(0o600)
  expect(statSync(dataDir).mode & 0o066).toBe(0)
  expect(readdirSync(dataDir)).toEqual(['secret-key'])
  expect(lines.filter(({ level }) => (level as number) >= WARN)).toEqual([])
  expect(JSON.stringify(lines)).not.toContain(keys[0])
  expect(load(dataDir)).toEqual({ keys, lines: [] })
  expect(load(dataFolder()).keys).not.toEqual(keys)
})

test('on a DATABASE_URL, a kept key is warned of once, whether made or read', () => {
  const dataDir = dataFolder()
  const DATABASE_URL = 'postgresql://app:hunter2@db/tasks'
  for (const { keys, lines } of [load(dataDir, { DATABASE_URL }), load(dataDir, { DATABASE_URL })]) {
    const warnings = lines.filter(({ level }) => level === WARN)
    expect(warnings).toEqual([expect.objectContaining({ msg: expect.stringContaining('same SECRET_KEY') })])
    expect(JSON.stringify(lines)).not.toContain(keys[0])
    expect(JSON.stringify(lines)).not.toContain('hunter2')
  }
})

test('a file that others can read or change is refused, with what to do', () => {
  const dataDir = dataFolder()
  const { keys } = load(dataDir)
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o777]) {
    chmodSync(join(dataDir, 'secret-key'), mode)
    expect(refusal(dataDir)).toContain(`${dataDir}/secret-key can be read or changed by others`)
    expect(refusal(dataDir)).toContain('chmod 600')
  }
  chmodSync(join(dataDir, 'secret-key'), 0o600)
  expect(load(dataDir).keys).toEqual(keys)
})

test('a file that holds no key is refused and left as it is', () => {
  const dataDir = dataFolder()
  mkdirSync(dataDir)
  const file = join(dataDir, 'secret-key')
  const long = 'k'.repeat(32)
  for (const content of [
    '',
    '\n',
    long.slice(1),
    ` ${long.slice(1)}\n`,
    `${long}\n${long}`,
    `${long}\0`,
    'ключ'.repeat(16),
  ]) {
    writeFileSync(file, content, { mode: 0o600 })
    expect(refusal(dataDir)).toContain(`${file} does not hold a key`)
    expect(readFileSync(file, 'utf8')).toBe(content)
  }
  writeFileSync(file, `${long}\r\n`)
  expect(load(dataDir).keys).toEqual([long])
})

test('a folder that cannot hold the file is named', () => {
  const file = join(dirname(dataFolder()), 'file')
  writeFileSync(file, '')
  expect(refusal(file)).toMatch(/^SECRET_KEY is not set, and a key cannot be kept in .*secret-key \(E/)
  const other = dataFolder()
  mkdirSync(join(other, 'secret-key'), { recursive: true, mode: 0o700 })
  expect(refusal(other)).toMatch(/cannot be kept in .*\(EISDIR/)
})

test('processes that start at once on fresh folders end with the same keys', async () => {
  const folder = dataFolder()
  // Many folders, since the processes must meet in the moment between looking and making.
  const script = `
    import { loadSecretKeys } from ${JSON.stringify(new URL('secret-keys.ts', import.meta.url).href)}
    const log = { info() {}, warn() {} }
    for (let i = 0; i < 60; i++) {
      const config = { SECRET_KEY: [], DATABASE_URL: undefined, DATA_DIR: process.argv[1] + '/' + i }
      console.log(loadSecretKeys(config, log)[0])
    }`
  const starts = Array.from({ length: 4 }, () => {
    const args = ['--input-type=module', '-e', script, folder]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    return Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  })
  const kept = Array.from({ length: 60 }, (_, i) => i)
  for (const [keys, errors] of await Promise.all(starts)) {
    expect(errors).toBe('')
    expect(keys).toBe(kept.map((i) => readFileSync(join(folder, `${i}/secret-key`), 'utf8')).join(''))
  }
  for (const i of kept) expect(readdirSync(join(folder, String(i)))).toEqual(['secret-key'])
})

test('the embedded PostgreSQL starts in a folder that was made for the key', async () => {
  const dataDir = join(dataFolder(), 'data')
  const { keys } = load(dataDir)
  await start(dataDir)
  expect(lstatSync(join(dataDir, 'postgres')).isDirectory()).toBe(true)
  expect(load(dataDir).keys).toEqual(keys)
})
