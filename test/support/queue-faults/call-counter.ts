import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const MAX_RESPONSE_MS = 50
/** Percentage of calls that get status 503. */
const REFUSED_PERCENT = 3

/** Counts the calls of jobs. It responds after a random delay, to some calls with 503. */
export interface CallCounter extends AsyncDisposable {
  url: string
  host: string
  /** Number of calls with status 204 by path, without the slash. */
  called: Map<string, number>
}

export async function startCallCounter(random: () => number): Promise<CallCounter> {
  const called = new Map<string, number>()
  const server = createServer(async (request, response) => {
    response.on('error', () => {})
    await delay(random() * MAX_RESPONSE_MS)
    // The caller was killed meanwhile, so its call is not completed.
    if (request.destroyed || response.destroyed) return
    if (random() * 100 < REFUSED_PERCENT) {
      response.writeHead(503).end()
      return
    }
    const path = request.url!.slice(1)
    called.set(path, (called.get(path) ?? 0) + 1)
    response.writeHead(204).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const host = '127.0.0.1'
  return {
    host,
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    called,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
