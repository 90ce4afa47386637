/** How late are events on another process, what do listeners cost the writers, who feels stalled readers? */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { availableParallelism } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import { readOptions } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import { pin } from './lib/process.ts'
import { SocketClients } from './lib/socket-clients.ts'
import { median, percentile } from './lib/stats.ts'
import { printTable, verdict } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions(
  'Delivery: to another process, to many beside writers, to fast readers beside stalled ones.',
)
const ROUNDS = options.quick ? 1 : 3
const PACE = { count: options.quick ? 20 : 500, everyMs: 10 }
const ACROSS_MS = 50
const LISTENERS = options.quick ? 50 : 1_000
const SLOWER = 1.1
const FAST = options.quick ? 100 : 5_000
const STALLED = 50
const FAST_PACE = { count: options.quick ? 10 : 100, everyMs: 200 }
/** As large as a description can be: what the kernel buffers for a reader that stalls must run full. */
const BIG = { text: '€'.repeat(9_999), everyMs: 20 }
/** How a close frame with code 4413 ends. */
const TOO_SLOW = Buffer.from('\x11\x3dtoo slow', 'latin1')
/** Of two cores, or more: one for the writers, one for those who listen. */
const WRITERS_CORE = '0'
const LISTENERS_CORE = '1'
const ALL_CORES = `0-${availableParallelism() - 1}`

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
const env = {
  DATABASE_URL: await postgres.createMigrated('delivery'),
  SECRET_KEY: 'x'.repeat(32),
  RATE_LIMIT_PER_MINUTE: '0',
}
await using writer = await startTaskwire(folder.path, { env })

{
  await using other = await startTaskwire(folder.path, { env })
  const pinned = pin(writer.pid, WRITERS_CORE) && pin(other.pid, LISTENERS_CORE)
  const across: number[] = []
  const quiet: number[] = []
  const beside: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    {
      await using clients = new SocketClients()
      await clients.connect(other.port, '/ws/tasks', 1)
      across.push(...(await clients.post(writer.port, PACE.count, PACE.everyMs)).latencies)
    }
    {
      await using clients = new SocketClients()
      pin(clients.pid, WRITERS_CORE)
      quiet.push(median((await clients.post(writer.port, PACE.count, PACE.everyMs)).answers))
    }
    {
      await using listeners = new SocketClients()
      pin(listeners.pid, LISTENERS_CORE)
      await listeners.connect(other.port, '/ws/tasks', LISTENERS)
      await using clients = new SocketClients()
      pin(clients.pid, WRITERS_CORE)
      beside.push(median((await clients.post(writer.port, PACE.count, PACE.everyMs)).answers))
    }
  }
  const ratio = median(beside) / median(quiet)
  const rate = 1000 / PACE.everyMs
  printTable(
    `Two processes on one database, ${rate} POST /tasks a second on one, ${ROUNDS} rounds of ${PACE.count}${pinned ? ', each on a core of its own with its clients' : ''}`,
    ['what', 'p50', 'p99', 'target', 'reached'],
    [
      [
        'POST to receipt on the other',
        ...[50, 99].map((p) => `${percentile(across, p).toFixed(1)} ms`),
        `p99 ${ACROSS_MS} ms`,
        verdict(percentile(across, 99) <= ACROSS_MS),
      ],
      ['POST to answer, nobody listens', `${median(quiet).toFixed(2)} ms`, '', '', ''],
      [
        `POST to answer, ${LISTENERS} listen on the other`,
        `${median(beside).toFixed(2)} ms`,
        '',
        `${SLOWER} times`,
        `${verdict(ratio <= SLOWER)} (${ratio.toFixed(2)})`,
      ],
    ],
  )
}
pin(writer.pid, ALL_CORES)

const alone: number[] = []
const amongStalled: number[] = []
let givenUp = 0
for (let round = 0; round < ROUNDS; round++) {
  alone.push(...(await toFast(0)))
  amongStalled.push(...(await toFast(STALLED)))
}
const times = percentile(amongStalled, 99) / percentile(alone, 99)
printTable(
  `POST to the last of ${FAST} readers' receipt, while a task of ${Buffer.byteLength(BIG.text)} bytes is changed ${1000 / BIG.everyMs} times a second`,
  ['beside them', 'p50', 'p99', 'times'],
  [
    ['nobody who hears of the changes', ...figures(alone), ''],
    [
      `${STALLED} who hear of them and never read (${givenUp} given up as too slow)`,
      ...figures(amongStalled),
      times.toFixed(2),
    ],
  ],
)

function figures(values: number[]): string[] {
  return [50, 99].map((p) => `${percentile(values, p).toFixed(1)} ms`)
}

async function toFast(stalledCount: number): Promise<number[]> {
  const { id } = await send('POST', '/tasks', { title: 'Big' })
  await using clients = new SocketClients()
  await clients.connect(writer.port, '/ws/tasks?types=task_created', FAST)
  const stalled = await Promise.all(
    Array.from({ length: stalledCount }, () => stall(writer.port, '/ws/tasks?types=task_updated')),
  )
  const changes = new AbortController()
  const changing = changeAgainAndAgain(id, changes.signal)
  await clients.post(writer.port, 5, FAST_PACE.everyMs)
  const { latencies } = await clients.post(writer.port, FAST_PACE.count, FAST_PACE.everyMs)
  changes.abort()
  await changing
  const gone = await Promise.all(stalled.map(isGivenUp))
  givenUp += gone.filter(Boolean).length
  return latencies
}

/** A reader that shakes hands and then never reads. */
async function stall(port: number, path: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => {})
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  )
  await once(socket, 'data')
  socket.pause()
  return socket
}

/** Whether a reader that reads at last finds, behind what was on its way, that it was given up. */
async function isGivenUp(socket: Socket): Promise<boolean> {
  let end = Buffer.alloc(0)
  const read = (async () => {
    for await (const chunk of socket) {
      end = Buffer.concat([end, chunk]).subarray(-TOO_SLOW.length)
      if (end.equals(TOO_SLOW)) return true
    }
    return false
  })()
  const isSo = await Promise.race([read, delay(2_000, false)])
  socket.destroy()
  await read.catch(() => {})
  return isSo
}

async function changeAgainAndAgain(id: number, signal: AbortSignal): Promise<void> {
  for (let i = 0; !signal.aborted; i++) {
    await send('PATCH', `/tasks/${id}`, { description: `${i % 10}${BIG.text}` })
    await delay(BIG.everyMs)
  }
}

async function send(method: string, path: string, body: object): Promise<{ id: number }> {
  const response = await fetch(writer.url + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}`)
  return (await response.json()) as { id: number }
}
