/** How many deliveries per second to many sockets, and how late is the last one? */
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { renderEnvelope } from '../src/events/event-types.ts'
import { textFrame } from '../src/events/frame.ts'
import { storedEvent } from './lib/feed.ts'
import { readOptions } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import { node, pin, type Running, startServer } from './lib/process.ts'
import { SocketClients } from './lib/socket-clients.ts'
import { type PlainSocket, renderers, startSocketServer } from './lib/socket-server.ts'
import { median, percentile } from './lib/stats.ts'
import { printTable, verdict, whole } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions('Fan-out: deliveries per second, and POST to last receipt, to 1,000 WebSockets.')
const SOCKETS = options.quick ? 100 : 1_000
const ROUNDS = options.quick ? 1 : 5
const ALONE = { events: options.quick ? 50 : 400, batch: 1, ahead: 100, target: 150_000 }
const TOGETHER = { events: options.quick ? 1_000 : 4_000, batch: 500, ahead: 1_000, target: 1_000_000 }
const POSTS = { count: options.quick ? 10 : 200, everyMs: 100, targetMs: 20 }
/** For the latency: whoever sends and whoever receives do not wait for each other's core. */
const SERVER_CORE = '0'
const CLIENTS_CORE = '1'

const rates = {
  alone: [] as number[],
  together: [] as number[],
  naive: [] as number[],
  once: [] as number[],
  bare: [] as number[],
}
for (let i = 0; i < ROUNDS; i++) {
  rates.alone.push(await ownRate(ALONE))
  rates.together.push(await ownRate(TOGETHER))
  rates.naive.push(
    await plainRate((event) => {
      const parsed = JSON.parse(event)
      return ({ socket }) => socket.send(JSON.stringify(parsed))
    }),
  )
  rates.once.push(
    await plainRate(
      (event) =>
        ({ socket }) =>
          socket.send(event),
    ),
  )
  rates.bare.push(
    await plainRate((event) => {
      const frame = textFrame(event)
      return ({ wire }) => wire.write(frame)
    }),
  )
}
const row = (what: string, values: number[], target?: number) => [
  what,
  whole(median(values)),
  `${whole(Math.min(...values))} to ${whole(Math.max(...values))}`,
  `${(median(values) / median(rates.naive)).toFixed(2)}x`,
  ...(target === undefined ? ['', ''] : [whole(target), verdict(median(values) >= target)]),
]
const size = Buffer.byteLength(renderEnvelope(storedEvent(100_001), renderers))
printTable(
  `Fan-out of ${size}-byte events to ${SOCKETS} sockets, medians of ${ROUNDS} alternating rounds`,
  ['delivery', 'deliveries/s', 'range', 'naive', 'target', 'reached'],
  [
    row('each event alone', rates.alone, ALONE.target),
    row(`waiting events together, ${TOGETHER.batch} a read`, rates.together, TOGETHER.target),
    row('naive: ws.send(JSON.stringify(event)) for each socket', rates.naive),
    row('naive, JSON.stringify once an event', rates.once),
    row('bare: one frame, written to each socket, which is the most that Node can do here', rates.bare),
  ],
)

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
/** Through the whole server: HTTP, PostgreSQL, relay, sockets. */
await using taskwire = await startTaskwire(folder.path, {
  env: { DATABASE_URL: await postgres.createMigrated('fanout') },
})
/** What of it is the machine's, Node's and the receivers' own. */
await using bare = await startServer({
  command: [node, fileURLToPath(new URL('./peers/bare-broadcast.ts', import.meta.url))],
  env: {},
  cwd: folder.path,
  readyPath: '/',
})
const latencies = { ours: [] as number[][], bare: [] as number[][] }
for (let i = 0; i < ROUNDS; i++) {
  latencies.ours.push(await latenciesOf(taskwire))
  latencies.bare.push(await latenciesOf(bare))
}
const latencyRow = (what: string, rounds: number[][], target?: number) => {
  const of = (p: number) => rounds.map((values) => percentile(values, p))
  const p99 = median(of(99))
  return [
    ...[what, `${median(of(50)).toFixed(1)} ms`, `${p99.toFixed(1)} ms`],
    `${Math.min(...of(99)).toFixed(1)} to ${Math.max(...of(99)).toFixed(1)} ms`,
    ...(target === undefined ? ['', ''] : [`${target} ms`, verdict(p99 <= target)]),
  ]
}
printTable(
  `POST to the last of ${SOCKETS} sockets' receipt, ${1000 / POSTS.everyMs} events/s, ${POSTS.count} events, medians of ${ROUNDS} alternating rounds`,
  ['server', 'p50', 'p99', 'range of p99', 'target p99', 'reached'],
  [
    latencyRow('Taskwire', latencies.ours, POSTS.targetMs),
    latencyRow('bare: node:http, one shared frame, no database', latencies.bare),
  ],
)

interface Amount {
  events: number
  batch: number
  /** So many events may be ahead of the receivers: a real source, too, is not faster than its readers for long. */
  ahead: number
}

async function ownRate({ events, batch, ahead }: Amount): Promise<number> {
  await using server = await startSocketServer()
  await using clients = new SocketClients()
  await clients.connect(server.port, '/stream', SOCKETS)
  let given = 0
  const refill = (received: number) => {
    while (given < events && given - received / SOCKETS + batch <= ahead) {
      server.tell(batch, batch)
      given += batch
    }
  }
  const started = performance.now()
  const received = clients.received(events * SOCKETS, refill)
  refill(0)
  await received
  return (events * SOCKETS * 1000) / (performance.now() - started)
}

async function plainRate(sendOf: (event: string) => (client: PlainSocket) => void): Promise<number> {
  await using server = await startSocketServer()
  await using clients = new SocketClients()
  await clients.connect(server.port, '/plain', SOCKETS)
  const { events, ahead } = ALONE
  let received = 0
  const started = performance.now()
  const done = clients.received(events * SOCKETS, (frames) => {
    received = frames
  })
  for (let i = 0; i < events; i++) {
    const send = sendOf(renderEnvelope(storedEvent(100_001 + i), renderers))
    for (const client of server.plain) send(client)
    do await turn()
    while (i - received / SOCKETS > ahead)
  }
  await done
  return (events * SOCKETS * 1000) / (performance.now() - started)
}

async function latenciesOf({ port, pid }: Running): Promise<number[]> {
  await using clients = new SocketClients()
  pin(pid, SERVER_CORE)
  pin(clients.pid, CLIENTS_CORE)
  await clients.connect(port, '/ws/tasks', SOCKETS)
  await clients.post(port, 10, POSTS.everyMs)
  return (await clients.post(port, POSTS.count, POSTS.everyMs)).latencies
}
