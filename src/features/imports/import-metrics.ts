import type { Database } from '../../platform/database/database.ts'
import type { Metrics } from '../../platform/metrics/index.ts'
import { successAges } from './import-run-store.ts'
import type { Importer, ImportRun } from './importer.ts'

/** Counts the runs of this process, and says how old the last success is, in whichever process it was. */
export function importMetrics(
  metrics: Metrics,
  db: Database,
  importers: readonly Importer[],
): (run: ImportRun) => void {
  const counter = (importer: string, outcome: string) =>
    metrics.counter('taskwire_imports_total', 'Runs of importers.', { importer, outcome })
  const counters = new Map(
    importers.map(({ name }) => [
      name,
      { succeeded: counter(name, 'succeeded'), failed: counter(name, 'failed') },
    ]),
  )
  metrics.reading(
    'taskwire_import_age_seconds',
    'Since when no run of the importer has succeeded.',
    async () =>
      (await successAges(db)).map(({ importer, seconds }) => ({ labels: { importer }, value: seconds })),
  )
  return ({ importer, state }) => {
    if (state !== 'running') counters.get(importer)?.[state].add()
  }
}
