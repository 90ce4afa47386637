import { createClient, TaskwireError } from '../../packages/client/src/index.ts'
import { loadConfig, localUrl } from '../config/config.ts'
import type { Environment } from '../config/env.ts'
import { errorText, StartupError } from '../core/errors.ts'
import type { Console } from './console.ts'

const PATIENCE_MS = 3_000

/** `taskwire health`: fails unless a server answers and can serve requests; for containers and scripts. */
export async function healthCommand(
  options: { url?: string },
  environment: Environment,
  console: Console,
): Promise<void> {
  const { HOST, PORT } = loadConfig(environment)
  const url = options.url ?? localUrl(HOST, PORT)
  try {
    await createClient({ url, retries: 0 }).request('GET /health/ready', { timeoutMs: PATIENCE_MS })
  } catch (error) {
    if (!(error instanceof TaskwireError)) throw error
    throw new StartupError(
      error.status === 0 ? `No server answers at ${url}: ${errorText(error.cause ?? error)}` : error.message,
    )
  }
  console.out(`The server at ${url} is ready.`)
}
