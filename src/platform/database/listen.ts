import { setTimeout as delay } from 'node:timers/promises'
import pg, { type ClientConfig } from 'pg'
import { streamOf } from './driver.ts'

const RETRY_MS = { min: 100, max: 5_000 }
const CONNECT_TIMEOUT_MS = 5_000
/** How often it is asked whether the server is still there, and how long that may take. */
const LOOK_MS = 30_000
const ANSWER_MS = 10_000
/** A server that is still there hangs up sooner. */
const GOODBYE_MS = 1_000

/**
 * Receives the notifications of `channel` on a separate connection that reconnects automatically. `heard` is called
 * with the payload of each, and with undefined whenever notifications may have been missed.
 */
export function listen(
  config: ClientConfig,
  channel: string,
  heard: (payload: string | undefined) => void,
  lookMs = LOOK_MS,
): AsyncDisposable {
  let connected: pg.Client | undefined
  const stopping = new AbortController()

  async function connection(): Promise<void> {
    const client = new pg.Client({
      ...config,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: Math.min(ANSWER_MS, lookMs),
    })
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
      await Promise.race([ended, silence(client)])
    } finally {
      if (connected === client) {
        connected = undefined
        await hangUp(client)
      }
    }
  }

  /** Rejects once nothing is answered any more: a connection that a firewall has forgotten looks as if nothing happened. */
  async function silence(client: pg.Client): Promise<never> {
    for (;;) {
      await delay(lookMs, undefined, { signal: stopping.signal })
      await client.query('SELECT 1')
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
      await Promise.all([running, connected && hangUp(connected)])
    },
  }
}

/** Does not wait for the goodbye of a server that is out of reach. */
async function hangUp(client: pg.Client): Promise<void> {
  const timer = setTimeout(() => streamOf(client).destroy(), GOODBYE_MS)
  await client.end()
  clearTimeout(timer)
}
