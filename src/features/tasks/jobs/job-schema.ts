import type { JSONSchema } from 'json-schema-to-ts'
import type { JobType } from './job-type.ts'

const DEFAULT_ATTEMPTS = 5
const MAX_ATTEMPTS = 25

/** The schema of `job` in a body: for each type its own input. */
export function jobSchema(types: readonly JobType[]): JSONSchema {
  return {
    type: 'object',
    required: ['type'],
    properties: { type: { type: 'string', enum: types.map(({ name }) => name) } },
    // The validator picks one schema by this property and reports errors of that schema only.
    discriminator: { propertyName: 'type' },
    oneOf: types.map(ofType),
    description: 'Makes the task an executable one, which a worker runs',
  } as JSONSchema
}

function ofType({ name, input }: JobType): JSONSchema {
  const needsInput = typeof input === 'object' && (input.required ?? []).length > 0
  return {
    type: 'object',
    required: needsInput ? ['type', 'input'] : ['type'],
    properties: {
      type: { const: name },
      input,
      max_attempts: {
        type: 'integer',
        minimum: 1,
        maximum: MAX_ATTEMPTS,
        description: `${DEFAULT_ATTEMPTS} when absent`,
      },
    },
    additionalProperties: false,
    title: `${name[0]!.toUpperCase()}${name.slice(1)}Job`,
  }
}

export { DEFAULT_ATTEMPTS }
