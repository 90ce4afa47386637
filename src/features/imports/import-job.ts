import type { JSONSchema } from 'json-schema-to-ts'
import type { JobType } from '../tasks/jobs/index.ts'
import type { Importer } from './importer.ts'
import type { ImportRunner } from './runner.ts'

/** Fetching and saving have much shorter timeouts, but the job may wait for a run that is in progress. */
const TIMEOUT_MS = 300_000

/** A job type that runs the importer named in the input. */
export function importJob(deps: {
  importers: readonly Importer[]
  runner: ImportRunner
}): JobType<{ importer: string }> {
  const { importers, runner } = deps
  const names = importers.map(({ name }) => name)
  const input: JSONSchema = {
    type: 'object',
    required: ['importer'],
    properties: { importer: { type: 'string', enum: names } },
    additionalProperties: false,
    title: 'ImportInput',
    examples: [{ importer: names[0] }],
  }
  return {
    name: 'import',
    input,
    permission: 'import.run',
    timeoutMs: () => TIMEOUT_MS,
    async run({ importer: name }, { signal }) {
      const importer = importers.find((candidate) => candidate.name === name)
      if (!importer) throw new Error(`importer "${name}" does not exist`)
      const finished = (await runner.run(importer, 'manual', signal))!
      if (finished.state === 'failed') throw new Error(finished.error!)
      const { run_id, created_count, updated_count, skipped_count } = finished
      return { run_id, created_count, updated_count, skipped_count }
    },
  }
}
