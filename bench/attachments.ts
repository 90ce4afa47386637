/** How fast do files come in and go out, and how much memory does that take? */
import { randomFillSync } from 'node:crypto'
import { readOptions } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import { cpuMs, residentBytes } from './lib/process.ts'
import { printTable, verdict } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'
import { openTransfers } from './load/file-transfers.ts'

const options = readOptions('Attachments: megabytes per second on loopback, and the memory they take.')
const MIB = 2 ** 20
const FILE_BYTES = 25 * MIB
const FILES = options.quick ? 4 : 40
const LARGE_BYTES = (options.quick ? 64 : 1024) * MIB
const TARGETS = { megabytes: 200, memoryMiB: 64 }
const SAMPLE_MS = 10

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
await using server = await startTaskwire(folder.path, {
  env: {
    DATABASE_URL: await postgres.createMigrated('attachments'),
    ATTACHMENT_MAX_BYTES: String(LARGE_BYTES),
    ATTACHMENT_QUOTA_BYTES: '0',
    RATE_LIMIT_PER_MINUTE: '0',
  },
})
const task = await newTask()
const content = randomFillSync(Buffer.alloc(FILE_BYTES))
const large = randomFillSync(Buffer.alloc(LARGE_BYTES))
{
  // The first one loads what reads forms.
  using first = await openTransfers(server.port)
  await first.download(await first.upload(task, content.subarray(0, MIB)))
}
const rows: string[][] = []
const paths: string[] = []
for (const connections of [1, 4]) {
  await measure(`${FILES} uploads of 25 MiB`, connections, FILES, FILE_BYTES, async (transfers) => {
    paths.push(await transfers.upload(task, content))
  })
  await measure(`${FILES} downloads of 25 MiB`, connections, FILES, FILE_BYTES, async (transfers, i) => {
    await transfers.download(paths[i]!)
  })
}
let largePath = ''
await measure('one upload', 1, 1, LARGE_BYTES, async (transfers) => {
  largePath = await transfers.upload(task, large)
})
await measure('one download', 1, 1, LARGE_BYTES, async (transfers) => {
  await transfers.download(largePath)
})
printTable(
  `Attachments on disk, on loopback (targets: ${TARGETS.megabytes} MB/s, ${TARGETS.memoryMiB} MiB more memory)`,
  ['what', 'connections', 'MB/s', 'reached', 'MB per CPU second', 'more memory', 'reached'],
  rows,
)

/** Runs `count` transfers on so many connections; times them, and watches the memory of the server. */
async function measure(
  what: string,
  connections: number,
  count: number,
  bytes: number,
  transfer: (transfers: Awaited<ReturnType<typeof openTransfers>>, i: number) => Promise<void>,
): Promise<void> {
  const before = residentBytes(server.pid)
  let most = before
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(server.pid))
  }, SAMPLE_MS)
  const cpu = cpuMs(server.pid)
  const started = performance.now()
  let next = 0
  const worker = async () => {
    using transfers = await openTransfers(server.port)
    for (let i = next++; i < count; i = next++) await transfer(transfers, i)
  }
  await Promise.all(Array.from({ length: connections }, worker))
  const seconds = (performance.now() - started) / 1000
  const cpuSeconds = (cpuMs(server.pid) - cpu) / 1000
  clearInterval(timer)
  const megabytes = (count * bytes) / 1e6
  const more = (most - before) / MIB
  rows.push([
    count === 1 ? `${what} of ${bytes / MIB} MiB` : what,
    String(connections),
    (megabytes / seconds).toFixed(0),
    verdict(megabytes / seconds >= TARGETS.megabytes),
    (megabytes / cpuSeconds).toFixed(0),
    `${more.toFixed(0)} MiB`,
    verdict(more <= TARGETS.memoryMiB),
  ])
}

async function newTask(): Promise<number> {
  const response = await fetch(`${server.url}/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"title":"Bench"}',
  })
  return ((await response.json()) as { id: number }).id
}
