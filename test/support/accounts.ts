import { expect } from 'vitest'
import type { Answer, TestApp } from './app.ts'

/** What login, registration and refresh answer. */
export interface Grant {
  access_token: string
  refresh_token: string
  token_type: 'bearer'
  expires_in: number
  user: { id: number; username: string; role: string; disabled: boolean }
}

export const PASSWORD = 'correct horse battery'

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** As if the call came from there; the server has to be started with TRUST_PROXY=127.0.0.1. */
export const from = (address: string) => ({ 'x-forwarded-for': address })

export async function register(app: TestApp, username: string): Promise<Grant> {
  return granted(await app.send('POST', '/auth/register', { username, password: PASSWORD }), 201)
}

export async function login(app: TestApp, username: string, password = PASSWORD): Promise<Grant> {
  return granted(await app.send('POST', '/auth/login', { username, password }), 200)
}

/** A new user who is an admin, logged in. */
export async function registerAdmin(app: TestApp, username: string): Promise<Grant> {
  const { user } = await register(app, username)
  await app.database.rows("UPDATE users SET role = 'admin' WHERE id = $1", [user.id])
  return login(app, username)
}

export function refresh(app: TestApp, token: string, headers: Record<string, string> = {}): Promise<Answer> {
  return app.send('POST', '/auth/refresh', { refresh_token: token }, headers)
}

function granted({ status, body }: Answer, expected: number): Grant {
  expect([status, body]).toEqual([expected, expect.objectContaining({ token_type: 'bearer' })])
  return body
}
