import { setTimeout as delay } from 'node:timers/promises'
import pg, { type ClientConfig } from 'pg'

const RETRY_MS = { min: 100, max: 5_000 }
const CONNECT_TIMEOUT_MS = 5_000

/**
 * Hears what is notified on `channel`, on a connection of its own that comes back by itself. `heard` is
 * called with the payload of each, and with undefined whenever some may have been missed.
 */
export function listen(
  config: ClientConfig,
  channel: string,
  heard: (payload: string | undefined) => void,
): AsyncDisposable {
  let connected: pg.Client | undefined
  const stopping = new AbortController()

  async function connection(): Promise<void> {
    const client = new pg.Client({ ...config, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
    const ended = new Promise<void>((resolve) => {
      client.on('error', () => {}).on('end', resolve)
    })
    client.on('notification', ({ payload }) => heard(payload ?? ''))
    try {
      await client.connect()
      connected = client
      // `end` on a client that is still connecting never resolves, so the end waits for it here.
      if (stopping.signal.aborted) return
      await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`)
      heard(undefined)
      await ended
    } finally {
      if (connected === client) {
        connected = undefined
        await client.end()
      }
    }
  }

  async function run(): Promise<void> {
    let wait = RETRY_MS.min
    while (!stopping.signal.aborted) {
      const began = performance.now()
      await connection().catch(() => {})
      wait = performance.now() - began > RETRY_MS.max ? RETRY_MS.min : Math.min(wait * 2, RETRY_MS.max)
      await delay(wait * (0.5 + Math.random() / 2), undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  const running = run()
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await connected?.end()
      await running
    },
  }
}
