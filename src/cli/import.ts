import { request } from 'undici'
import { startCore } from '../app.ts'
import { type Config, loadConfig } from '../config/config.ts'
import type { Environment } from '../config/env.ts'
import { errorText, StartupError } from '../core/errors.ts'
import type { ImportRun } from '../importers/index.ts'
import type { Console } from './console.ts'
import { serverToken, TOKEN_ADVICE } from './context.ts'
import { consoleLogger } from './logger.ts'

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
  const url = options.url ?? `http://localhost:${config.PORT}`
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
  try {
    const health = await request(new URL('/health', url), { headersTimeout: 2_000 })
    await health.body.dump()
  } catch (error) {
    if (required) throw new StartupError(`No server answers at ${url}: ${errorText(error)}`)
    return undefined
  }
  console.err(`Asking the server at ${url} to import ${name} …`)
  const { statusCode, body } = await request(new URL(`/importers/${encodeURIComponent(name)}/run`, url), {
    method: 'POST',
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  })
  const answer = (await body.json()) as ImportRun & { detail?: string }
  if (statusCode === 401) throw new StartupError(`${answer.detail} For this command, ${TOKEN_ADVICE}`)
  if (statusCode !== 200) throw new StartupError(answer.detail ?? `The server answered ${statusCode}.`)
  return answer
}

async function runHere(name: string, config: Config, console: Console): Promise<ImportRun> {
  console.err(`No server is running; importing ${name} directly …`)
  await using core = await startCore(config, consoleLogger(console))
  const importer = core.importers.find((candidate) => candidate.name === name)
  if (!importer)
    throw new StartupError(
      `There is no importer "${name}"; there are ${core.importers.map((i) => i.name).join(', ')}.`,
    )
  return (await core.runner.run(importer, 'manual'))!
}
