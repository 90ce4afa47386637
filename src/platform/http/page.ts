/** Query fields of a paged list: how many items to skip, and how many to return. */
export const pageFields = {
  skip: { type: 'integer', minimum: 0, maximum: 2_147_483_647, default: 0 },
  limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 },
} as const

export const ListRunsSchema = {
  type: 'object',
  required: ['limit'],
  properties: { limit: { type: 'integer', minimum: 1, maximum: 1000, default: 100 } },
  additionalProperties: false,
} as const
