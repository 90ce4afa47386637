import { loadConfig, printConfig } from '../platform/config/config.ts'
import type { Environment } from '../platform/config/env.ts'
import { environmentExample, settingsReference } from '../platform/config/reference.ts'
import type { Console } from './console.ts'

/** `taskwire config check`: a line for each mistake, or one that says all is well. */
export function configCheck(environment: Environment, console: Console): void {
  const config = loadConfig(environment)
  console.out(
    `The settings are valid. Access is ${config.access}; the database is ${config.DATABASE_URL ? 'yours' : `embedded in ${config.DATA_DIR}`}.`,
  )
}

/** `taskwire config print`: every setting as it is in force, passwords hidden. */
export function configPrint(environment: Environment, console: Console): void {
  for (const line of printConfig(loadConfig(environment))) console.out(line)
}

/** `taskwire config docs`: what there is to set, whatever is set here. */
export function configDocs({ env, ru }: { env: boolean; ru: boolean }, console: Console): void {
  console.out((env ? environmentExample() : settingsReference(ru ? 'ru' : 'en')).trimEnd())
}
