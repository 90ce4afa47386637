import type { Database } from '../../platform/database/database.ts'
import type { Metrics } from '../../platform/metrics/index.ts'
import { successAges } from './import-run-store.ts'
import type { Importer, ImportRun } from './importer.ts'

/**
 * Registers the metrics of imports: the runs of this process, and the age of the last success in any process. Returns
 * the function that counts a finished run.
 */
export function importMetrics(
  metrics: Metrics,
  db: Database,
  importers: readonly Importer[],
): (run: ImportRun) => void {
  const counter = (importer: string, outcome: string) =>
    metrics.counter('taskwire_imports_total', 'Finished import runs, by importer and outcome.', {
      importer,
      outcome,
    })
  const counters = new Map(
    importers.map(({ name }) => [
      name,
      { succeeded: counter(name, 'succeeded'), failed: counter(name, 'failed') },
    ]),
  )
  metrics.reading(
    'taskwire_import_age_seconds',
    'Seconds since the last successful run of the importer.',
    async () =>
      (await successAges(db)).map(({ importer, seconds }) => ({ labels: { importer }, value: seconds })),
  )
  return ({ importer, state }) => {
    if (state !== 'running') counters.get(importer)?.[state].add()
  }
}
