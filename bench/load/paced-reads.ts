/**
 * Reads at a bounded rate: `paced-reads.ts PORT TOKEN ROWS CONNECTIONS RATE SECONDS`; prints one line of JSON.
 * Latency counts from when a request was due, so that one that had to wait for a late answer is late too.
 */
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { percentile } from '../lib/stats.ts'

const [port, token, rows, connections, rate, seconds] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
  string,
]
const agent = new Agent({ keepAlive: true, maxSockets: Number(connections) })
const headers = { authorization: `Bearer ${token}` }
const intervalMs = (1000 * Number(connections)) / Number(rate)
const latencies: number[] = []
let failures = 0
const started = performance.now()
const end = started + Number(seconds) * 1000

await Promise.all(Array.from({ length: Number(connections) }, (_, i) => drive(i)))
agent.destroy()
process.stdout.write(
  `${JSON.stringify({
    requests: latencies.length,
    seconds: (performance.now() - started) / 1000,
    p50: percentile(latencies, 50) * 1000,
    p99: percentile(latencies, 99) * 1000,
    failures,
  })}\n`,
)

/** One connection, the requests of which are due between those of the others. */
async function drive(place: number): Promise<void> {
  let due = started + (place * intervalMs) / Number(connections)
  for (; due < end; due += intervalMs) {
    const early = due - performance.now()
    if (early > 0) await delay(early)
    // A timer may ring up to a millisecond late, which is not the server's doing.
    const from = early > 0 ? performance.now() : due
    if ((await read()) !== 200) failures++
    latencies.push(performance.now() - from)
  }
}

function read(): Promise<number> {
  const path = `/tasks/${1 + Math.floor(Math.random() * Number(rows))}`
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent, headers }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
      .on('error', reject)
      .end()
  })
}
