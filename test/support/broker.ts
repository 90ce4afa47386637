import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'amqplib'
import { eventually } from './eventually.ts'
import { freePort } from './free-port.ts'

// The path on Debian. Its /usr/sbin/rabbitmq-server would change the user, who could not write to our folder.
const program = process.env.TEST_RABBITMQ_SERVER || '/usr/lib/rabbitmq/bin/rabbitmq-server'
const START_MS = 90_000

/** Whether tests can start a RabbitMQ node. If not, that is reported; with `REQUIRE_SERVICES=1` it is an error. */
export const hasBroker = isInstalled()

function isInstalled(): boolean {
  if (spawnSync('test', ['-x', program]).status === 0) return true
  const reason = `NOT COVERED: a RabbitMQ that restarts (${program} is not installed); set TEST_RABBITMQ_SERVER`
  if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
  process.stderr.write(`${reason}\n`)
  return false
}

/** A RabbitMQ node that belongs to one test. */
export interface Broker extends AsyncDisposable {
  url: string
  /** Ends the node with this signal and starts it again with its stored data. */
  restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

export async function startBroker(): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-rabbitmq-'))
  const [port, internalPort] = [await freePort(), await freePort()]
  const name = `taskwire_${port}@localhost`
  const base = join(folder, 'mnesia')
  const url = `amqp://127.0.0.1:${port}`
  const env = {
    PATH: process.env.PATH,
    // The node keeps its Erlang cookie there.
    HOME: folder,
    RABBITMQ_NODENAME: name,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(internalPort),
    RABBITMQ_MNESIA_BASE: base,
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'none'),
  }
  let end = async (_signal: NodeJS.Signals) => {}
  const start = async () => {
    const child = spawn(program, { env, stdio: 'ignore', cwd: folder })
    const exited = once(child, 'exit')
    end = async (signal) => {
      // The program is a shell script that waits for the node, so the node itself is signaled.
      const pid = Number(readFileSync(join(base, `${name}.pid`), 'utf8'))
      process.kill(pid, signal)
      await exited
    }
    const answers = () =>
      connect(url, { timeout: 2000 }).then(
        (model) => model.close().then(() => true),
        () => false,
      )
    await eventually(answers, 'RabbitMQ responds', START_MS)
  }
  await start()
  return {
    url,
    async restart(signal) {
      await end(signal)
      await start()
    },
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
