import type { Transaction } from '../../platform/database/database.ts'

export interface ImportCounts {
  created: number
  updated: number
  skipped: number
}

/** An external source of data. All of a response is validated before anything is saved. */
export interface Importer {
  name: string
  /** URL of the source without credentials, for display. */
  source: string
  intervalSeconds: number
  /** Fetches and validates the data outside any transaction; returns the function that saves it. */
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
