import { createClient, TaskwireError } from '../../packages/client/src/index.ts'
import { StartupError } from '../core/errors.ts'
import type { Environment } from '../platform/config/env.ts'
import type { Console } from './console.ts'
import { noServer, serverUrl } from './context.ts'

const PATIENCE_MS = 3_000

/** `taskwire health`: fails unless a server answers and can serve requests; for containers and scripts. */
export async function healthCommand(
  options: { url?: string },
  environment: Environment,
  console: Console,
): Promise<void> {
  const url = serverUrl(options.url, environment)
  try {
    await createClient({ url, retries: 0 }).request('GET /health/ready', { timeoutMs: PATIENCE_MS })
  } catch (error) {
    if (!(error instanceof TaskwireError)) throw error
    throw error.status === 0 ? noServer(url, error) : new StartupError(error.message)
  }
  console.out(`The server at ${url} is ready.`)
}
