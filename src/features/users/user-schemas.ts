import type { JSONSchema } from 'json-schema-to-ts'
import { pageFields } from '../../platform/http/page.ts'

export const usernameField = {
  type: 'string',
  maxLength: 200,
  normalize: 'username',
  format: 'username',
  description: '3 to 64 letters, digits, dots, hyphens and underscores; unique without regard to case',
  examples: ['anna'],
} as const

const roleField = { type: 'string', enum: ['user', 'admin'] } as const

export const userExample = {
  id: 1,
  username: 'anna',
  role: 'user',
  disabled: false,
  created_at: '2025-12-15T12:00:31.168401Z',
}

export const UserSchema: JSONSchema = {
  type: 'object',
  required: ['id', 'username', 'role', 'disabled', 'created_at'],
  properties: {
    id: { type: 'integer', minimum: 1 },
    username: { type: 'string' },
    role: roleField,
    disabled: { type: 'boolean' },
    created_at: { type: 'string', format: 'date-time' },
  },
  title: 'User',
  examples: [userExample],
}

export const UserListSchema: JSONSchema = { type: 'array', items: UserSchema, examples: [[userExample]] }

export const ListUsersSchema = {
  type: 'object',
  required: ['skip', 'limit'],
  properties: pageFields,
  additionalProperties: false,
} as const satisfies JSONSchema

export const PatchUserSchema = {
  type: 'object',
  properties: { role: roleField, disabled: { type: 'boolean' } },
  additionalProperties: false,
  description:
    'Any change invalidates the user’s access tokens and closes their WebSockets; disabling also ends their sessions.',
  examples: [{ role: 'admin' }],
} as const satisfies JSONSchema

export const UserIdParams = {
  type: 'object',
  required: ['id'],
  properties: { id: { type: 'integer', minimum: 1, maximum: 2_147_483_647, examples: [1] } },
  additionalProperties: false,
} as const satisfies JSONSchema
