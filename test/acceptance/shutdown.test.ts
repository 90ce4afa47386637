import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { afterAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { listen } from '../support/listener.ts'
import { databaseIsDown, isAlive, kill, postmasterOf } from '../support/processes.ts'
import { launch, type Server, startServer, stop, temporaryFolder } from '../support/server.ts'

// One for all, which spares them initdb.
const dataDir = temporaryFolder(afterAll)

/** A POST whose body the server waits for; `finish` sends it and resolves to the answer. */
async function begin(server: Server, title: string) {
  const body = JSON.stringify({ title })
  const post = request(`${server.url}/tasks`, {
    method: 'POST',
    agent: false,
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      expect: '100-continue',
    },
  })
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    post.on('response', resolve).on('error', reject)
  })
  const ended = answered.then(
    () => 'answered',
    () => 'cut off',
  )
  expect(await Promise.race([once(post, 'continue'), ended])).toEqual([])
  return {
    async finish(): Promise<number> {
      post.end(body)
      const answer = await answered
      answer.resume()
      return answer.statusCode!
    },
    ended,
  }
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s: what is in flight is answered, then all ends',
  async (signal) => {
    const server = await startServer({}, dataDir)
    const postmaster = postmasterOf(dataDir)!.pid
    const listeners = await Promise.all([listen(`${server.ws}/ws/tasks`), listen(`${server.ws}/ws`)])
    await (await fetch(`${server.url}/health`)).text() // leaves an idle connection
    const titles = Array.from({ length: 20 }, (_, index) => `${signal} ${index}`)
    const requests = await Promise.all(titles.map((title) => begin(server, title)))

    const started = performance.now()
    kill(server.pid, signal)
    expect(await Promise.all(listeners.map(({ closed }) => closed))).toEqual([1001, 1001])
    expect(await Promise.all(requests.map(({ finish }) => finish()))).toEqual(titles.map(() => 201))
    expect(await server.exited).toEqual({ code: 0, signal: null })
    const ms = Math.round(performance.now() - started)
    expect(ms).toBeLessThan(10_000)
    process.stdout.write(`${signal} with ${titles.length} requests in flight: down after ${ms} ms\n`)

    expect(server.logged().at(-1)).toMatchObject({ msg: 'stopped' })
    expect(server.logged().map(({ msg }) => msg)).toContain(`${signal} received, stopping`)
    expect(server.logged().filter(({ level }) => !/info|debug/.test(level))).toEqual([])
    expect(server.err).toEqual([])
    // At once: the server waits for its database.
    expect(postmasterOf(dataDir)).toBeUndefined()
    expect(isAlive(postmaster)).toBe(false)

    const again = await startServer({}, dataDir)
    const shown = (await (await fetch(`${again.url}/tasks?sort=-id&limit=20`)).json()) as { title: string }[]
    expect(shown.map(({ title }) => title).sort()).toEqual(titles.sort())
  },
)

test('a request that never ends does not hold the end for long', async () => {
  const server = await startServer({}, dataDir)
  const { ended } = await begin(server, 'never sent')
  const { code, ms } = await stop(server)
  expect(code).toBe(0)
  expect(ms).toBeLessThan(10_000)
  expect(await ended).toBe('cut off')
  expect(postmasterOf(dataDir)).toBeUndefined()
})

test('a second signal ends at once, and PostgreSQL follows', async () => {
  const server = await startServer({}, dataDir)
  const listener = await listen(`${server.ws}/ws/tasks`)
  const { ended } = await begin(server, 'never sent')
  kill(server.pid, 'SIGTERM')
  await listener.closed // the first signal has been heard
  const { code, ms } = await stop(server, 'SIGINT')
  expect(code).toBe(130)
  expect(ms).toBeLessThan(2_000)
  expect(await ended).toBe('cut off')
  await databaseIsDown(dataDir)
})

test('a signal during the start is obeyed as well', async () => {
  const program = launch({}, dataDir)
  await eventually(() => postmasterOf(dataDir), 'PostgreSQL starts', 30_000)
  expect(await stop(program)).toMatchObject({ code: 0 })
  expect(postmasterOf(dataDir)).toBeUndefined()
})
