import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { audit, wronglyShown, wronglyTold } from '../support/ledger.ts'
import { listen } from '../support/listener.ts'
import { databaseIsDown, descendants, isAlive, kill, postmasterOf } from '../support/processes.ts'
import { connectTo, launch, type Server, startServer, stop, temporaryFolder } from '../support/server.ts'
import { Writers } from '../support/writers.ts'

// One for all, which spares them initdb.
const dataDir = temporaryFolder(afterAll)

/** A connection each, since what is kept alive stays with one worker. */
const get = (url: string) => fetch(url, { headers: { connection: 'close' } })

/** pids of the workers, by their number. */
function workersOf(server: Server): Map<number, number> {
  const pids = new Map<number, number>()
  for (const line of server.logged() as { msg: string; worker?: number; pid?: number }[]) {
    if (line.msg === 'worker serves') pids.set(line.worker!, line.pid!)
  }
  return pids
}

async function serving({ url }: Server): Promise<Set<number>> {
  const found = new Set<number>()
  for (let i = 0; i < 6; i++) {
    const { worker } = (await (await get(`${url}/health/ready`)).json()) as { worker: number }
    found.add(worker)
  }
  return found
}

test('workers share port and database; one that is killed comes back, and nothing is lost', async () => {
  const server = await startServer({ WORKERS: '2' }, dataDir)
  await eventually(() => workersOf(server).size === 2, 'both have logged')
  expect(await serving(server)).toEqual(new Set([1, 2]))
  const listeners = await Promise.all(Array.from({ length: 4 }, () => listen(`${server.ws}/ws/tasks`)))
  const writers = new Writers()
  writers.start(server.url, 4)
  await eventually(() => writers.acknowledged > 100, 'they write')
  const victim = workersOf(server).get(2)!
  kill(victim, 'SIGKILL')
  await eventually(() => listeners.some(({ isOpen }) => !isOpen), 'sockets of the killed one are cut')
  await eventually(() => workersOf(server).get(2) !== victim, 'it comes back', 20_000)
  const before = writers.acknowledged
  await eventually(() => writers.acknowledged > before + 100, 'they write on')
  await writers.stop()
  expect(await serving(server)).toEqual(new Set([1, 2]))

  expect(writers.failures).toEqual([])
  expect(await wronglyShown(server.url, writers.entries)).toEqual([])
  {
    await using client = await connectTo(dataDir)
    const { problems, events } = await audit(client, writers.entries)
    expect(problems).toEqual([])
    const complete = listeners.filter(({ isOpen }) => isOpen)
    expect(complete.length).toBeGreaterThan(0)
    for (const listener of complete) {
      await eventually(() => listener.events.length >= events.length, 'all events are told')
      expect(wronglyTold(listener.events, events, { after: 0, complete: true })).toEqual([])
    }
    const open = complete.map(({ closed }) => closed)
    const ended = stop(server)
    expect(await Promise.all(open)).toEqual(open.map(() => 1001))
    expect(await ended).toMatchObject({ code: 0 })
  }
  const noted = server.logged().filter(({ level }) => level !== 'info')
  expect(noted).toMatchObject([{ level: 'warn', msg: expect.stringContaining('SIGKILL') }])
  await databaseIsDown(dataDir)
}, 240_000)

test('limits are counted together, and metrics come from each', async () => {
  const server = await startServer({ WORKERS: '3', AUTH_MODE: 'required' }, dataDir)
  const statuses: number[] = []
  for (let attempt = 0; attempt < 15; attempt++) {
    const answer = await fetch(`${server.url}/auth/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({ username: 'nobody.here', password: 'wrong horse battery' }),
    })
    statuses.push(answer.status)
  }
  expect(statuses).toEqual([...Array(10).fill(401), ...Array(5).fill(429)])
  expect((await get(`${server.url}/metrics`)).status).toBe(401)
  await stop(server)

  const open = await startServer({ WORKERS: '2' }, dataDir)
  await get(`${open.url}/tasks`)
  const text = await (await get(`${open.url}/metrics`)).text()
  for (const worker of [1, 2]) expect(text).toContain(`process_start_time_seconds{worker="${worker}"}`)
  expect(text.match(/# TYPE process_cpu_seconds_total counter/g)).toHaveLength(1)
  expect(text).toMatch(/duration_seconds_count\{worker="\d",method="GET",route="\/tasks",status="200"\} 1\n/)

  // One that hangs is left out. It is given connections all the same, on which it answers nothing.
  await eventually(() => workersOf(open).size === 2, 'both have logged')
  const stuck = workersOf(open).get(2)!
  kill(stuck, 'SIGSTOP')
  const metrics = () =>
    fetch(`${open.url}/metrics`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(5_000) })
      .then((answer) => answer.text())
      .catch(() => undefined)
  const others = (await Promise.all([metrics(), metrics(), metrics(), metrics()])).filter((text) => text)
  kill(stuck, 'SIGCONT')
  expect(others.length).toBeGreaterThan(0)
  for (const text of others) {
    expect(text).toContain('process_start_time_seconds{worker="1"}')
    expect(text).not.toContain('worker="2"')
  }
  await stop(open)
}, 60_000)

test('when the supervisor is killed, workers and database end', async () => {
  const server = await startServer({ WORKERS: '2' }, dataDir)
  const below = descendants(server.pid)
  const postmaster = postmasterOf(dataDir)!.pid
  kill(server.pid, 'SIGKILL')
  await eventually(() => below.every((pid) => !isAlive(pid)), 'all have ended', 20_000)
  expect(isAlive(postmaster)).toBe(false)
  await databaseIsDown(dataDir)
}, 60_000)

test('what keeps a worker from starting is said once, and ends them all', async () => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  const program = launch({ WORKERS: '3', PORT: String(port) }, dataDir)
  expect(await program.exited).toMatchObject({ code: 1 })
  const lines = program.out.map((line) => JSON.parse(line)).filter(({ level }) => level !== 'info')
  expect(lines).toMatchObject([{ level: 'fatal', msg: expect.stringMatching(/^PORT \d+ on .* is in use/) }])
  taken.close()
  await databaseIsDown(dataDir)
}, 60_000)
