import { startCore } from '../app/core.ts'
import { loadConfig } from '../platform/config/config.ts'
import type { Environment } from '../platform/config/env.ts'
import type { Console } from './console.ts'
import { consoleLogger } from './logger.ts'

/** `taskwire migrate`: brings the schema up to date without starting a server. */
export async function migrateCommand(environment: Environment, console: Console): Promise<void> {
  await using core = await startCore(loadConfig(environment), consoleLogger(console))
  for (const name of core.migrated) console.out(`applied ${name}`)
  if (core.migrated.length === 0) console.out('The schema is up to date.')
}
