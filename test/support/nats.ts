import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

const program = process.env.TEST_NATS_SERVER || 'nats-server'

/** Whether tests can start a NATS server. If not, that is reported; with `REQUIRE_SERVICES=1` it is an error. */
export const hasNats = isInstalled()

function isInstalled(): boolean {
  if (spawnSync(program, ['--version']).status === 0) return true
  const reason = `NOT COVERED: NATS (${program} is not installed); set TEST_NATS_SERVER`
  if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
  process.stderr.write(`${reason}\n`)
  return false
}

export interface TestNats extends AsyncDisposable {
  url: string
  /** Opens a connection for the test, which acts as another service. */
  client(): Promise<NatsConnection>
  /** Ends the server with SIGKILL. */
  kill(): Promise<void>
  /** Freezes the server: connections stay open, but nothing responds. */
  hang(): void
  resume(): void
  /** Starts the server again, with its stored data or empty. */
  restart(options?: { empty: boolean }): Promise<void>
}

/** Starts a nats-server on a free port. `options` are command-line options. */
export async function startNats(
  options: string[] = ['--jetstream'],
  credentials: { user?: string; pass?: string; token?: string } = {},
): Promise<TestNats> {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-nats-'))
  const port = await freePort()
  const clients: NatsConnection[] = []
  let child: ChildProcess | undefined

  const client = async () => {
    const made = await connect({ servers: `127.0.0.1:${port}`, ...credentials })
    clients.push(made)
    return made
  }
  const start = async () => {
    const address = ['--addr', '127.0.0.1', '--port', String(port), '--store_dir', folder]
    child = spawn(program, [...address, ...options], { stdio: 'ignore' })
    await eventually(
      () =>
        client().then(
          (made) => made.close().then(() => true),
          () => false,
        ),
      'NATS responds',
    )
  }
  const kill = async () => {
    if (!child) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    child = undefined
    await ended
  }

  await start()
  return {
    url: `nats://127.0.0.1:${port}`,
    client,
    kill,
    hang: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    async restart({ empty } = { empty: false }) {
      if (empty) rmSync(folder, { recursive: true, force: true })
      await start()
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((one) => one.close()))
      await kill()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A message stored in a stream. */
export interface Stored {
  subject: string
  id: string
  headers: Record<string, string>
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes
  body: any
}

/** Returns all messages of a stream in order. */
export async function storedIn(connection: NatsConnection, stream: string): Promise<Stored[]> {
  const manager = await jetstreamManager(connection)
  const state = await manager.streams.info(stream).then(
    (info) => info.state,
    () => undefined,
  )
  if (!state?.messages) return []
  const consumer = await jetstream(connection).consumers.get(stream, {})
  const messages = await consumer.fetch({ max_messages: state.messages, expires: 5_000 })
  const found: Stored[] = []
  for await (const { subject, headers, data } of messages) {
    const values = headers ? [...headers].map(([name, [value]]) => [name, value!] as const) : []
    const text = new TextDecoder().decode(data)
    found.push({
      subject,
      id: headers?.get('Nats-Msg-Id') ?? '',
      headers: Object.fromEntries(values),
      body: text.startsWith('{') ? JSON.parse(text) : text,
    })
    if (found.length === state.messages) break
  }
  return found
}
