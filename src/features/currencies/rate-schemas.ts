import type { JSONSchema } from 'json-schema-to-ts'
import { codeField, rateField, skipField, sourceField, timeField } from './currency-schemas.ts'

const momentField = {
  type: 'string',
  format: 'moment',
  description: 'A day, or a time with its zone; a day as `to` includes that day. Days are those of UTC.',
  examples: ['2025-12-15'],
} as const

export const HistoryQuery = {
  type: 'object',
  required: ['skip', 'limit'],
  properties: {
    from: momentField,
    to: momentField,
    skip: skipField,
    limit: { type: 'integer', minimum: 1, maximum: 10_000, default: 1000 },
  },
  additionalProperties: false,
} as const satisfies JSONSchema

const pointExample = { timestamp: '2025-12-15T00:00:00.000000Z', rate: 82.9977, source: 'cbr' }
export const HistorySchema: JSONSchema = {
  type: 'array',
  items: {
    type: 'object',
    required: ['timestamp', 'rate', 'source'],
    properties: { timestamp: timeField, rate: rateField, source: sourceField },
    title: 'Rate',
  },
  examples: [[pointExample]],
}

export const SeriesQuery = {
  type: 'object',
  required: ['points'],
  properties: {
    from: momentField,
    to: momentField,
    points: { type: 'integer', minimum: 10, maximum: 2000, default: 400, description: 'At most so many' },
  },
  additionalProperties: false,
} as const satisfies JSONSchema

export const SeriesSchema: JSONSchema = {
  type: 'object',
  required: ['currency', 'step', 'dates', 'rates'],
  properties: {
    currency: { type: 'string' },
    step: { type: 'string', enum: ['day', 'week', 'month', 'year'] },
    dates: { type: 'array', items: { type: 'string' }, description: 'Ascending' },
    rates: { type: 'array', items: rateField, description: 'The last of each step, at the same places' },
  },
  title: 'RateSeries',
  examples: [
    { currency: 'USD', step: 'day', dates: ['2025-12-13', '2025-12-15'], rates: [82.9977, 83.0541] },
  ],
}

export const ConvertQuery = {
  type: 'object',
  required: ['from', 'to', 'amount'],
  properties: {
    from: { ...codeField, description: 'ISO 4217; RUB too' },
    to: { ...codeField, description: 'ISO 4217; RUB too', examples: ['EUR'] },
    amount: {
      type: 'string',
      format: 'decimal',
      description: 'At most 15 digits before the point and 12 behind it',
      examples: ['10'],
    },
  },
  additionalProperties: false,
} as const satisfies JSONSchema

export const ConversionSchema: JSONSchema = {
  type: 'object',
  required: ['from', 'to', 'amount', 'rate', 'result', 'dates'],
  properties: {
    from: { type: 'string' },
    to: { type: 'string' },
    amount: { type: 'number' },
    rate: { type: 'number', description: 'Units of `to` for one of `from`, rounded to 12 decimals' },
    result: { type: 'number', description: 'Of the exact rates, rounded to 12 decimals' },
    dates: {
      type: 'object',
      additionalProperties: { type: 'string' },
      description: 'Of which day each rate is that was used; RUB has none',
    },
  },
  title: 'Conversion',
  examples: [
    {
      from: 'USD',
      to: 'EUR',
      amount: 10,
      rate: 0.8512,
      result: 8.512,
      dates: { USD: '2025-12-15', EUR: '2025-12-15' },
    },
  ],
}
