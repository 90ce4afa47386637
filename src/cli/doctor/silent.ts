import { pino } from 'pino'

/** A logger for checks, which report by their findings only. */
export const silent = pino({ level: 'silent' })
