import type { Transaction } from '../../platform/database/database.ts'

export interface ImportCounts {
  created: number
  updated: number
  skipped: number
}

/** One source of data. What it fetches is checked whole before anything is saved. */
export interface Importer {
  name: string
  /** Address it reads, without credentials, for people. */
  source: string
  intervalSeconds: number
  /** Reads and checks the source, outside any transaction; returns how to save what it found. */
  fetch(signal: AbortSignal): Promise<(transaction: Transaction) => Promise<ImportCounts>>
}

export type Trigger = 'schedule' | 'manual'

/** A row of `import_runs`; times are ISO 8601, UTC, microseconds. */
export interface ImportRun {
  run_id: number
  importer: string
  trigger: Trigger
  state: 'running' | 'succeeded' | 'failed'
  started_at: string
  finished_at: string | null
  created_count: number
  updated_count: number
  skipped_count: number
  error: string | null
}
