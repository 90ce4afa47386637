import type { FromSchema, JSONSchema } from 'json-schema-to-ts'
import { RATE_RANGE } from './currency.ts'

export const codeField = {
  type: 'string',
  normalize: 'currency',
  format: 'currency-code',
  description: 'ISO 4217, in any letter case',
  examples: ['USD'],
} as const
export const rateField = {
  type: 'number',
  ...RATE_RANGE,
  description: 'Roubles for one unit',
  examples: [82.9977],
} as const
const nominalField = {
  type: 'integer',
  minimum: 1,
  maximum: 10_000,
  description: 'For how many units the rate is quoted by the bank; the rate here is for one all the same',
} as const
const nameField = {
  type: ['string', 'null'],
  minLength: 1,
  maxLength: 100,
  normalize: 'trim',
  format: 'plain-text',
  examples: ['Доллар США'],
} as const

export const currencyExample = {
  id: '9b2f3a52-6c1e-4c3a-9d55-0c7a4a3f6d11',
  currency: 'USD',
  rate: 82.9977,
  nominal: 1,
  name: 'Доллар США',
  timestamp: '2025-12-15T00:00:00.000000Z',
  source: 'cbr',
}
export const sourceField = {
  type: 'string',
  enum: ['cbr', 'manual', 'remote'],
  description: 'The Bank of Russia, a person, or another service',
} as const
export const timeField = { type: 'string', format: 'date-time' } as const

export const CurrencySchema: JSONSchema = {
  type: 'object',
  required: ['id', 'currency', 'rate', 'nominal', 'name', 'timestamp', 'source'],
  properties: {
    id: { type: 'string', format: 'uuid' },
    currency: { type: 'string', examples: ['USD'] },
    rate: { ...rateField, description: 'Roubles for one unit; as many digits as it has' },
    nominal: nominalField,
    name: { type: ['string', 'null'] },
    timestamp: { ...timeField, description: 'Of an official rate the beginning of its day' },
    source: sourceField,
  },
  title: 'Currency',
  examples: [currencyExample],
}
export const CurrencyListSchema: JSONSchema = {
  type: 'array',
  items: CurrencySchema,
  examples: [[currencyExample]],
}

export const CreateCurrencySchema = {
  type: 'object',
  required: ['currency', 'rate'],
  properties: { currency: codeField, rate: rateField, nominal: nominalField, name: nameField },
  additionalProperties: false,
  examples: [{ currency: 'USD', rate: 82.9977, name: 'Доллар США' }],
} as const satisfies JSONSchema
export type CreateCurrency = FromSchema<typeof CreateCurrencySchema>

export const PatchCurrencySchema = {
  type: 'object',
  properties: { rate: rateField, nominal: nominalField, name: nameField },
  additionalProperties: false,
  description: 'Absent: left as it is.',
  examples: [{ rate: 83.5 }],
} as const satisfies JSONSchema
export type PatchCurrency = FromSchema<typeof PatchCurrencySchema>

export const KeyParams = {
  type: 'object',
  required: ['key'],
  properties: {
    key: {
      type: 'string',
      format: 'currency-key',
      description: 'Its code, in any letter case, or its id',
      examples: ['USD'],
    },
  },
  additionalProperties: false,
} as const satisfies JSONSchema

export const skipField = { type: 'integer', minimum: 0, maximum: 2_147_483_647, default: 0 } as const

export const ListCurrenciesSchema = {
  type: 'object',
  required: ['skip', 'limit'],
  properties: { skip: skipField, limit: { type: 'integer', minimum: 1, maximum: 1000, default: 1000 } },
  additionalProperties: false,
} as const satisfies JSONSchema
