import { type Logger, pino } from 'pino'
import type { Console } from './console.ts'

/** A log for commands: warnings and worse as plain lines on stderr. */
export function consoleLogger(console: Console): Logger {
  return pino({ level: 'warn' }, { write: (line: string) => console.err(JSON.parse(line).msg) })
}
