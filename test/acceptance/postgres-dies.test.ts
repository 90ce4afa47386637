import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { audit, wronglyShown, wronglyTold } from '../support/ledger.ts'
import { listen } from '../support/listener.ts'
import { kill, postmasterOf } from '../support/processes.ts'
import { connectTo, startServer, stop } from '../support/server.ts'
import { Writers } from '../support/writers.ts'

const DEATHS = 3
/** The longest a request may hang while the database is away; a connection attempt is given up after 5 s. */
const PATIENCE_MS = 6_500

/** Asks again and again until it is stopped; the statuses in the order in which they came, repetitions left out. */
function watch(url: string) {
  const statuses: number[] = []
  let running = true
  const loop = (async () => {
    while (running) {
      // No answer counts as 0, and asking is over: the server is gone.
      const status = await fetch(url).then(
        ({ status: answer, body }) => body!.cancel().then(() => answer),
        () => 0,
      )
      if (statuses.at(-1) !== status) statuses.push(status)
      if (status === 0) return
      await turn()
    }
  })()
  return {
    statuses,
    stop: () => {
      running = false
      return loop
    },
  }
}

test('kill -9 of the postmaster under a running server: 503 for a moment, and nothing is lost', async () => {
  const server = await startServer()
  const { dataDir, url, ws } = server
  const listener = await listen(`${ws}/ws/tasks`)
  const writers = new Writers()
  const health = watch(`${url}/health`)
  const recoveries: number[] = []
  writers.start(url, 6)
  for (let death = 1; death <= DEATHS; death++) {
    const ready = watch(`${url}/health/ready`)
    const written = writers.acknowledged + 100
    await eventually(
      () => writers.acknowledged > written && ready.statuses.length > 0,
      'the writers write',
      30_000,
    )

    const before = postmasterOf(dataDir)!.pid
    const killed = performance.now()
    kill(before, 'SIGKILL')
    await eventually(() => ready.statuses.includes(503), 'it is not ready', 5_000)
    await eventually(() => (postmasterOf(dataDir)?.pid ?? before) !== before, 'there is a new one', 30_000)
    const lost = writers.acknowledged
    await eventually(() => writers.acknowledged > lost, 'the writers write again', 30_000)
    recoveries.push(Math.round(performance.now() - killed))
    await eventually(() => ready.statuses.at(-1) === 200, 'it is ready again', 10_000)
    await ready.stop()
    expect(ready.statuses).toEqual([200, 503, 200])
  }
  await writers.stop()
  await health.stop()
  expect(health.statuses).toEqual([200])

  for (const { status, contentType, body } of writers.failures) {
    expect({ status, contentType }).toEqual({
      status: 503,
      contentType: 'application/problem+json; charset=utf-8',
    })
    expect(JSON.parse(body)).toMatchObject({ status: 503, title: 'Service Unavailable' })
  }
  // Each request was answered, none by a broken connection.
  expect(writers.unanswered).toBe(writers.failures.length)
  expect(writers.slowestMs).toBeLessThan(PATIENCE_MS)

  await using client = await connectTo(dataDir)
  const { problems, events } = await audit(client, writers.entries)
  expect(problems).toEqual([])
  expect(await wronglyShown(url, writers.entries)).toEqual([])
  await eventually(() => listener.events.length >= events.length, 'all events are told')
  expect(wronglyTold(listener.events, events, { after: 0, complete: true })).toEqual([])
  expect(listener.isOpen).toBe(true)

  expect(server.logged().filter(({ level }) => /error|fatal/.test(level))).toEqual([])
  expect(await stop(server)).toMatchObject({ code: 0 })
  process.stdout.write(
    `kill -9 of PostgreSQL: writes again after ${recoveries.join(', ')} ms; slowest request ${Math.round(writers.slowestMs)} ms, ` +
      `${writers.acknowledged} acknowledged, ${writers.failures.length} times 503\n`,
  )
}, 240_000)
