import { createClient, TaskwireError } from '../../packages/client/src/index.ts'
import { startCore } from '../app/core.ts'
import { StartupError } from '../core/errors.ts'
import type { ImportRun } from '../features/imports/index.ts'
import { type Config, loadConfig } from '../platform/config/config.ts'
import type { Environment } from '../platform/config/env.ts'
import type { Console } from './console.ts'
import { noServer, serverToken, serverUrl, TOKEN_ADVICE } from './context.ts'
import { consoleLogger } from './logger.ts'

const HEALTH_TIMEOUT_MS = 2_000
const RUN_TIMEOUT_MS = 300_000

/**
 * `taskwire import NAME`: asks the running server to run the importer; where none answers, the
 * command does it itself on the configured database.
 */
export async function importCommand(
  name: string,
  options: { url?: string },
  environment: Environment,
  console: Console,
): Promise<void> {
  const config = loadConfig(environment)
  const url = serverUrl(options.url, environment)
  const run =
    (await runOnServer(name, url, {
      required: options.url !== undefined,
      token: serverToken(environment),
      console,
    })) ?? (await runHere(name, config, console))
  if (run.state === 'failed') throw new StartupError(`Run ${run.run_id} of ${name} failed: ${run.error}`)
  console.out(
    `Run ${run.run_id} of ${name}: ${run.created_count} created, ${run.updated_count} updated, ${run.skipped_count} unchanged.`,
  )
}

async function runOnServer(
  name: string,
  url: string,
  { required, token, console }: { required: boolean; token: string | undefined; console: Console },
): Promise<ImportRun | undefined> {
  const { request } = createClient({ url, token, retries: 0 })
  try {
    await request('GET /health', { timeoutMs: HEALTH_TIMEOUT_MS })
  } catch (error) {
    // Whatever answers is a server, also one that refuses.
    if (!(error instanceof TaskwireError)) throw error
    if (error.status === 0) {
      if (required) throw noServer(url, error)
      return undefined
    }
  }
  console.err(`Asking the server at ${url} to import ${name} …`)
  try {
    return (await request('POST /importers/{name}/run', { path: { name }, timeoutMs: RUN_TIMEOUT_MS })).data
  } catch (error) {
    if (!(error instanceof TaskwireError)) throw error
    if (error.status === 401) throw new StartupError(`${error.message} For this command, ${TOKEN_ADVICE}`)
    throw new StartupError(error.message)
  }
}

async function runHere(name: string, config: Config, console: Console): Promise<ImportRun> {
  console.err(`No server is running; importing ${name} directly …`)
  await using core = await startCore(config, consoleLogger(console))
  const importer = core.importers.find((candidate) => candidate.name === name)
  if (!importer)
    throw new StartupError(
      `Importer "${name}" does not exist. Importers: ${core.importers.map((i) => i.name).join(', ')}.`,
    )
  return (await core.runner.run(importer, 'manual'))!
}
