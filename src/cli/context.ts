import type { Environment } from '../config/env.ts'
import type { Console } from './console.ts'
import type { Input } from './password.ts'

/** What the commands have of the process they run in. */
export interface ProgramContext {
  environment: () => Environment
  console: Console
  /** Where passwords come from, and files named `-`. */
  input: Input
  /** Where an export goes that has no file. */
  output: NodeJS.WritableStream
  /** Aborted when the user asks a long command to end. */
  signal: AbortSignal
  serve: () => Promise<void>
}

/** The token to send to a server, of TASKWIRE_TOKEN: an argument could be seen by others on the machine. */
export function serverToken({ values }: Environment): string | undefined {
  return values.TASKWIRE_TOKEN?.trim() || undefined
}

export const TOKEN_HELP =
  '\nEnvironment:\n  TASKWIRE_TOKEN  a token to call the server with, where it asks for one (taskwire token create)'

export const TOKEN_ADVICE = 'set TASKWIRE_TOKEN to a valid token, such as one of "taskwire token create"'
