import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { dataFolder } from '../../../test/support/embedded-harness.ts'
import { lockServer, processIdentity } from './embedded-lock.ts'

test('a process is told from a later one with its pid', () => {
  expect(processIdentity(process.pid)).toBe(processIdentity(process.pid))
  expect(processIdentity(process.pid)).not.toBe(processIdentity(process.ppid))
  expect(processIdentity(4_194_303)).toBeUndefined()
})

test('the lock names its owner, is free after its release and after a death, and leaves no more than two files', () => {
  const folder = dataFolder()
  mkdirSync(folder)
  const unlock = lockServer(folder, './data')
  expect(() => lockServer(folder, './data')).toThrow(
    `DATA_DIR ./data is in use by another Taskwire server (pid ${process.pid}); stop it or set another DATA_DIR`,
  )
  unlock()
  lockServer(folder, './data')
  // Our pid as if an earlier process had had it.
  writeFileSync(join(folder, 'postgres.lock.2'), `${process.pid} an-earlier-boot:1\n`)
  lockServer(folder, './data')
  expect(readdirSync(folder)).toEqual(['postgres.lock.2', 'postgres.lock.3'])
})

test('among processes that fight for the locks of the dead there is never a second owner', async () => {
  const folder = dataFolder()
  mkdirSync(folder)
  // The owner holds a folder that only one can make, and then "dies" leaving its lock behind.
  const script = `
    import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
    import { lockServer } from ${JSON.stringify(new URL('embedded-lock.ts', import.meta.url).href)}
    process.chdir(process.argv[1])
    let won = 0
    for (const end = Date.now() + 2000; Date.now() < end; ) {
      try { lockServer('.', '.') } catch (error) { if (error.name === 'StartupError') continue; throw error }
      mkdirSync('critical')
      const numbers = readdirSync('.').map((name) => Number(/^postgres\\.lock\\.(\\d+)$/.exec(name)?.[1] ?? 0))
      rmdirSync('critical')
      writeFileSync('postgres.lock.' + Math.max(...numbers), '4194303 dead')
      won++
    }
    console.log(won)`
  const fighters = Array.from({ length: 4 }, () => {
    const args = ['--input-type=module', '-e', script, folder]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    return Promise.all([once(child, 'exit'), text(child.stdout), text(child.stderr)])
  })
  for (const [[code], won, errors] of await Promise.all(fighters)) {
    expect(errors).toBe('')
    expect(code).toBe(0)
    expect(Number(won)).toBeGreaterThan(10)
  }
})
