import { errorText, StartupError } from '../core/errors.ts'
import { loadConfig, localUrl } from '../platform/config/config.ts'
import type { Environment } from '../platform/config/env.ts'
import type { Console } from './console.ts'
import type { Input } from './password.ts'

/** The parts of the process that commands use. */
export interface ProgramContext {
  environment: () => Environment
  console: Console
  /** Source of passwords and of files named `-`. */
  input: Input
  /** Target of an export without a file. */
  output: NodeJS.WritableStream
  /** Aborted when the user asks a long command to end. */
  signal: AbortSignal
  serve: () => Promise<void>
}

export const URL_HELP = 'address of the server (default: by HOST and PORT)'

/** Returns the URL of the server: `--url`, else the local URL of a server with these settings. */
export function serverUrl(given: string | undefined, environment: Environment): string {
  if (given !== undefined) return given
  const { HOST, PORT } = loadConfig(environment)
  return localUrl(HOST, PORT)
}

/** For a request that nobody answered. `error` is what `fetch` threw, or the client of it: the reason is its cause. */
export function noServer(url: string, error: Error): StartupError {
  const reason = errorText(error.cause ?? error)
  return new StartupError(
    `No server answers at ${url}: ${reason}; if none runs there, start one with taskwire serve, or name another with --url`,
  )
}

/** The token to send to a server, of TASKWIRE_TOKEN: an argument could be seen by others on the machine. */
export function serverToken({ values }: Environment): string | undefined {
  return values.TASKWIRE_TOKEN?.trim() || undefined
}

export const TOKEN_HELP =
  '\nEnvironment:\n  TASKWIRE_TOKEN  the token to send to a server that requires one (see taskwire token create)'

export const TOKEN_ADVICE = 'set TASKWIRE_TOKEN to a valid token, such as one of "taskwire token create"'
