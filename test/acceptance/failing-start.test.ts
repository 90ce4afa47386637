import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { mentioning } from '../support/processes.ts'
import { launch, startServer, temporaryFolder } from '../support/server.ts'

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

test('the port is in use', async () => {
  using taken = await takenPort()
  const lines = await failure({ PORT: String(taken.port) })
  expect(lines).toEqual([
    `HOST and PORT cannot be listened on: listen EADDRINUSE: address already in use 127.0.0.1:${taken.port}`,
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
  const { port } = await freed()
  const lines = await failure({ DATABASE_URL: `postgresql://taskwire:geheim@127.0.0.1:${port}/taskwire` })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^The database cannot be used: .*ECONNREFUSED/)
  expect(lines[0]).not.toContain('geheim')
})

test('a DATABASE_URL that leads to something else than PostgreSQL', async () => {
  using taken = await takenPort()
  const lines = await failure({
    DATABASE_URL: `postgresql://taskwire:geheim@127.0.0.1:${taken.port}/taskwire`,
  })
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/^The database cannot be used: /)
})

/** A port that was free a moment ago. */
async function freed(): Promise<{ port: number }> {
  using taken = await takenPort()
  return { port: taken.port }
}
