import { pino } from 'pino'
import type { Logger } from '../../src/platform/logging/logger.ts'

/** A log whose lines are kept, parsed. */
export function logTo(lines: Record<string, unknown>[]): Logger {
  return pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
}
