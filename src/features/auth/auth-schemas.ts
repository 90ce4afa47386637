import type { JSONSchema } from 'json-schema-to-ts'
import { UserSchema, userExample, usernameField } from '../users/index.ts'

const newPassword = {
  type: 'string',
  minLength: 8,
  maxLength: 128,
  format: 'plain-text',
  description: 'Not a common password, and not the user name',
  examples: ['correct horse battery'],
} as const

const password = { type: 'string', minLength: 1, maxLength: 128, format: 'plain-text' } as const

export const RegisterSchema = {
  type: 'object',
  required: ['username', 'password'],
  properties: { username: usernameField, password: newPassword },
  additionalProperties: false,
  examples: [{ username: 'anna', password: 'correct horse battery' }],
} as const satisfies JSONSchema

export const LoginSchema = {
  type: 'object',
  required: ['username', 'password'],
  properties: {
    username: { type: 'string', minLength: 1, maxLength: 200, format: 'plain-text' },
    password,
    grant_type: { type: 'string', const: 'password' },
    scope: { type: 'string', maxLength: 200 },
    client_id: { type: 'string', maxLength: 200 },
    client_secret: { type: 'string', maxLength: 200 },
  },
  additionalProperties: false,
  description: 'JSON or a form. Other fields of OAuth 2.0 are accepted and ignored.',
  examples: [{ username: 'anna', password: 'correct horse battery' }],
} as const satisfies JSONSchema

export const RefreshSchema = {
  type: 'object',
  required: ['refresh_token'],
  properties: { refresh_token: { type: 'string', minLength: 1, maxLength: 500 } },
  additionalProperties: false,
  examples: [{ refresh_token: 'twr_…' }],
} as const satisfies JSONSchema

export const ChangePasswordSchema = {
  type: 'object',
  required: ['current_password', 'new_password'],
  properties: { current_password: password, new_password: newPassword },
  additionalProperties: false,
  examples: [{ current_password: 'correct horse battery', new_password: 'staple battery horse' }],
} as const satisfies JSONSchema

export const SetupSchema = {
  type: 'object',
  required: ['token', 'username', 'password'],
  properties: {
    token: { type: 'string', minLength: 1, maxLength: 1000 },
    username: usernameField,
    password: newPassword,
  },
  additionalProperties: false,
  examples: [{ token: 'eyJ…', username: 'anna', password: 'correct horse battery' }],
} as const satisfies JSONSchema

export const GrantSchema: JSONSchema = {
  type: 'object',
  required: ['access_token', 'refresh_token', 'token_type', 'expires_in', 'user'],
  properties: {
    access_token: { type: 'string', description: 'Token for the Authorization header, after "Bearer "' },
    refresh_token: { type: 'string', description: 'Token for /auth/refresh; it works once' },
    token_type: { type: 'string', const: 'bearer' },
    expires_in: { type: 'integer', description: 'Lifetime of the access token, in seconds' },
    user: UserSchema,
  },
  title: 'Grant',
  examples: [
    {
      access_token: 'eyJ…',
      refresh_token: 'twr_…',
      token_type: 'bearer',
      expires_in: 1800,
      user: userExample,
    },
  ],
}

const time = { type: 'string', format: 'date-time' } as const
const timeOrNull = { type: ['string', 'null'], format: 'date-time' } as const

export const SessionListSchema: JSONSchema = {
  type: 'array',
  items: {
    type: 'object',
    required: ['id', 'user_agent', 'address', 'created_at', 'last_used_at', 'expires_at', 'current'],
    properties: {
      id: { type: 'string' },
      user_agent: { type: 'string' },
      address: { type: 'string' },
      created_at: time,
      last_used_at: time,
      expires_at: time,
      current: { type: 'boolean', description: 'Whether this request belongs to the session' },
    },
    title: 'Session',
  },
  examples: [
    [
      {
        id: '7c9e6679-7425-40de-944b-e07fc1f90ae7',
        user_agent: 'Mozilla/5.0',
        address: '192.0.2.1',
        created_at: '2025-12-15T12:00:31.168401Z',
        last_used_at: '2025-12-15T12:30:31.168401Z',
        expires_at: '2026-01-14T12:30:31.168401Z',
        current: true,
      },
    ],
  ],
}

const sessionId = {
  type: 'string',
  format: 'uuid',
  normalize: 'lower',
  examples: ['7c9e6679-7425-40de-944b-e07fc1f90ae7'],
} as const

export const SessionParams = {
  type: 'object',
  required: ['id'],
  properties: {
    id: sessionId,
  },
  additionalProperties: false,
} as const satisfies JSONSchema

const scopes = {
  type: 'array',
  items: { type: 'string', enum: ['read', 'write', 'admin'] },
  minItems: 1,
  maxItems: 3,
  uniqueItems: true,
  description: 'read: GET requests; write: changes; admin: users, for admins only',
} as const

const tokenName = {
  type: 'string',
  minLength: 1,
  maxLength: 100,
  normalize: 'trim',
  format: 'plain-text',
} as const

export const CreateApiTokenSchema = {
  type: 'object',
  required: ['name', 'scopes'],
  properties: {
    name: tokenName,
    scopes,
    expires_in_days: { type: ['integer', 'null'], minimum: 1, maximum: 3650 },
  },
  additionalProperties: false,
  examples: [{ name: 'backup script', scopes: ['read'], expires_in_days: 90 }],
} as const satisfies JSONSchema

const apiTokenProperties = {
  id: { type: 'integer', minimum: 1 },
  name: { type: 'string' },
  scopes,
  created_at: time,
  last_used_at: { ...timeOrNull, description: 'Time of the last use, to the minute' },
  expires_at: timeOrNull,
} as const
const apiTokenExample = {
  id: 1,
  name: 'backup script',
  scopes: ['read'],
  created_at: '2025-12-15T12:00:31.168401Z',
  last_used_at: null,
  expires_at: '2026-03-15T12:00:31.168401Z',
}

export const ApiTokenListSchema: JSONSchema = {
  type: 'array',
  items: {
    type: 'object',
    required: Object.keys(apiTokenProperties),
    properties: apiTokenProperties,
    title: 'ApiToken',
  },
  examples: [[apiTokenExample]],
}

export const NewApiTokenSchema: JSONSchema = {
  type: 'object',
  required: [...Object.keys(apiTokenProperties), 'token'],
  properties: {
    ...apiTokenProperties,
    token: { type: 'string', description: 'The token; shown only once' },
  },
  title: 'NewApiToken',
  examples: [{ ...apiTokenExample, token: 'tw_…' }],
}

export const ApiTokenParams = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'integer', minimum: 1, maximum: 2_147_483_647, examples: [1] } },
  additionalProperties: false,
} as const satisfies JSONSchema

export const TicketSchema: JSONSchema = {
  type: 'object',
  required: ['ticket', 'expires_in'],
  properties: {
    ticket: { type: 'string' },
    expires_in: { type: 'integer', description: 'Lifetime of the ticket, in seconds' },
  },
  title: 'Ticket',
  examples: [{ ticket: 'twt_…', expires_in: 30 }],
}
