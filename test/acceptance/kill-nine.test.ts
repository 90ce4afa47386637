import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { audit, wronglyShown, wronglyTold } from '../support/ledger.ts'
import { type Listener, listen } from '../support/listener.ts'
import { descendants, kill, postmasterOf } from '../support/processes.ts'
import { connectTo, type Server, startServer, stop, temporaryFolder } from '../support/server.ts'
import { Writers } from '../support/writers.ts'

const ROUNDS = 20
const WRITERS = 6
const victims = ['node', 'node and watchdog', 'everything'] as const

/** The server itself first, so that nothing of it can react to the end of the others. */
function pidsOf(server: Server, who: (typeof victims)[number]): number[] {
  const { pid } = server
  if (who === 'node') return [pid]
  const all = descendants(pid)
  if (who === 'everything') return [pid, ...all]
  const postmaster = postmasterOf(server.dataDir)!.pid
  const database = [postmaster, ...descendants(postmaster)]
  return [pid, ...all.filter((one) => !database.includes(one))]
}

test(`kill -9, ${ROUNDS} times during writes, loses no acknowledged write and no event`, async () => {
  const dataDir = temporaryFolder()
  const writers = new Writers()
  const backMs: number[] = []
  let before: { listener: Listener; lastEvent: number; at: number } | undefined
  for (let round = 0; ; round++) {
    const server = await startServer({}, dataDir)
    if (before) backMs.push(Math.round(performance.now() - before.at))
    await using client = await connectTo(dataDir)
    const { problems, events } = await audit(client, writers.entries)
    if (before) {
      const { listener, lastEvent } = before
      expect(listener.events.length).toBeGreaterThan(0)
      problems.push(...wronglyTold(listener.events, events, { after: lastEvent, complete: false }))
    }
    problems.push(...(await wronglyShown(server.url, writers.entries)))
    expect({ round, problems }).toEqual({ round, problems: [] })
    if (round === ROUNDS) {
      expect(await stop(server)).toMatchObject({ code: 0 })
      break
    }

    const listener = await listen(`${server.ws}/ws/tasks`)
    const target = writers.acknowledged + 60 + round * 12
    writers.start(server.url, WRITERS)
    await eventually(() => writers.acknowledged >= target, 'the writers write', 30_000)
    const pids = pidsOf(server, victims[round % victims.length]!)
    before = { listener, lastEvent: Number(events.at(-1)?.id ?? 0), at: performance.now() }
    for (const pid of pids) kill(pid, 'SIGKILL')
    const stopped = writers.stop()
    expect(await server.exited).toMatchObject({ signal: 'SIGKILL' })
    await Promise.all([stopped, listener.closed])
  }
  expect(writers.failures).toEqual([])
  backMs.sort((a, b) => a - b)
  process.stdout.write(
    `kill -9, ${ROUNDS} times: ${writers.acknowledged} acknowledged changes, ${writers.unanswered} unanswered; ` +
      `back after ${backMs[ROUNDS / 2]} ms (median), ${backMs.at(-1)} ms (longest)\n`,
  )
}, 420_000)
