/**
 * The HTTP load where wrk is not installed: raw sockets, one request at a time on each.
 * `http-load.ts PORT find|list|only|post ROWS CONNECTIONS SECONDS [TOKEN]`; prints what tasks.lua prints. With
 * `paths` for what to do, a line of standard input is one to GET.
 */
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { percentile } from '../lib/stats.ts'

const [port, what, rows, connections, seconds, token = ''] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string?,
]
const authorization = token && `authorization: Bearer ${token}\r\n`
const BODY = '{"title":"Prepare report","description":"Collect monthly data"}'
const head = (line: string, more = '') =>
  `${line} HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n${authorization}${more}\r\n`
const paths = what === 'paths' ? (await text(process.stdin)).trim().split('\n') : []
const requests = {
  paths: paths.map((path) => head(`GET ${path}`)),
  find: Array.from({ length: Number(rows) }, (_, i) => head(`GET /tasks/${i + 1}`)),
  list: [head('GET /tasks?limit=100')],
  only: [head('GET /only-tasks?limit=100')],
  post: [
    `${head('POST /tasks', `content-type: application/json\r\ncontent-length: ${BODY.length}\r\n`)}${BODY}`,
  ],
}[what]!.map((text) => Buffer.from(text))

const latencies: number[] = []
let failures = 0
const started = performance.now()
const end = started + Number(seconds) * 1000

await Promise.all(Array.from({ length: Number(connections) }, drive))
const elapsed = (performance.now() - started) / 1000
process.stdout.write(
  `${JSON.stringify({
    requests: latencies.length,
    seconds: elapsed,
    p50: percentile(latencies, 50),
    p95: percentile(latencies, 95),
    p99: percentile(latencies, 99),
    failures,
  })}\n`,
)

function drive(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true })
    let sent = 0
    // Bytes of the current answer still to come; undefined until its head has been read.
    let missing: number | undefined
    const next = () => {
      sent = performance.now()
      missing = undefined
      socket.write(requests[requests.length === 1 ? 0 : (Math.random() * requests.length) | 0]!)
    }
    socket.on('connect', next)
    socket.on('data', (chunk: Buffer) => {
      missing = missing === undefined ? bodyBytesMissing(chunk) : missing - chunk.length
      if (missing > 0) return
      const now = performance.now()
      latencies.push((now - sent) * 1000)
      if (now < end) next()
      else socket.end()
    })
    socket.on('error', () => failures++)
    socket.on('close', () => resolve())
  })
}

/** Both servers send the head, and all of a small answer, in one write; the head is never split. */
function bodyBytesMissing(chunk: Buffer): number {
  const headEnd = chunk.indexOf('\r\n\r\n')
  const text = chunk.toString('latin1', 0, headEnd)
  if (!text.startsWith('HTTP/1.1 20')) failures++
  const length = Number(/content-length: (\d+)/i.exec(text)?.[1])
  return length - (chunk.length - headEnd - 4)
}
