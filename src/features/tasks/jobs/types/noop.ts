import { setTimeout as delay } from 'node:timers/promises'
import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import type { JobType } from '../job-type.ts'

const MAX_DURATION_MS = 600_000

const input = {
  type: 'object',
  properties: {
    duration_ms: {
      type: 'integer',
      minimum: 0,
      maximum: MAX_DURATION_MS,
      description: 'How long it takes; 0 when absent',
    },
    failures: {
      type: 'integer',
      minimum: 0,
      maximum: 1000,
      description: 'So many attempts fail before one succeeds',
    },
  },
  additionalProperties: false,
  title: 'NoopInput',
  examples: [{ duration_ms: 1000 }],
} as const satisfies JSONSchema

/** Does nothing, for as long and as badly as asked: for trying things, and for work that is done elsewhere. */
export const noopJob: JobType<FromSchema<typeof input>> = {
  name: 'noop',
  input,
  timeoutMs: ({ duration_ms = 0 }) => duration_ms + 10_000,
  async run({ duration_ms = 0, failures = 0 }, { signal, attempt }) {
    if (duration_ms > 0) await delay(duration_ms, undefined, { signal })
    if (attempt <= failures) throw new Error(`failed as asked, ${attempt} of ${failures}`)
    return null
  },
}
