import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const LONGEST_ANSWER_MS = 50
/** Of a hundred calls so many are answered with 503 instead. */
const REFUSED_OF_100 = 3

/** Receives the calls of jobs, each after a while of chance, some with a refusal. */
export interface Witness extends AsyncDisposable {
  url: string
  host: string
  /** How many calls of each path, without its slash, were answered well. */
  called: Map<string, number>
}

export async function startWitness(random: () => number): Promise<Witness> {
  const called = new Map<string, number>()
  const server = createServer(async (request, response) => {
    response.on('error', () => {})
    await delay(random() * LONGEST_ANSWER_MS)
    // Whoever asked was killed meanwhile, and has not done it.
    if (request.destroyed || response.destroyed) return
    if (random() * 100 < REFUSED_OF_100) {
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
