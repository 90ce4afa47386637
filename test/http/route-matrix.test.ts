import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { upgrade } from '../support/raw-request.ts'
import { type Caller, mark, PASSWORD, type Reply, startWorld, type World } from '../support/route-matrix.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

/**
 * Who may do what: the answer to each caller. GET stands for HEAD too, WS for the handshake of a WebSocket, `**` for
 * all that is below. Several answers of one route are about the caller's own thing, that of another user, a task of
 * nobody, and one that does not exist; of importers, one that exists and one that does not.
 *
 * anonymous and operator have no token, while access is required and open; bad is a token that is not, or no
 * longer, valid. reader and writer are API tokens of a user with one scope, the admin key is one with both of these.
 */
const table = `
route                       | anonymous | operator        | bad | user            | admin           | reader          | writer          | admin key
GET    /tasks               | 401       | 200             | 401 | 200             | 200             | 200             | 403             | 200
POST   /tasks               | 401       | 201             | 401 | 201             | 201             | 403             | 201             | 201
GET    /tasks/:id           | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 200 403 403 404 | 403             | 200 200 200 404
PATCH  /tasks/:id           | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
PUT    /tasks/:id           | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
DELETE /tasks/:id           | 401       | 204 204 204 404 | 401 | 204 403 403 404 | 204 204 204 404 | 403             | 204 403 403 404 | 204 204 204 404
POST   /tasks/:id/restore   | 401       | 200 200 200 404 | 401 | 200 403 403 404 | 200 200 200 404 | 403             | 200 403 403 404 | 200 200 200 404
GET    /importers           | 401       | 200             | 401 | 403             | 200             | 403             | 403             | 200
GET    /importers/:name/runs| 401       | 200 404         | 401 | 403             | 200 404         | 403             | 403             | 200 404
POST   /importers/:name/run | 401       | 200 404         | 401 | 403             | 200 404         | 403             | 403             | 200 404
POST   /task-generator/run  | 401       | 200             | 401 | 403             | 200             | 403             | 403             | 200
GET    /users               | 401       | 200             | 401 | 403             | 200             | 403             | 403             | 403
PATCH  /users/:id           | 401       | 200 200 404     | 401 | 403             | 200 200 404     | 403             | 403             | 403
POST   /auth/register       | 201       | 201             | 201 | 201             | 201             | 201             | 201             | 201
POST   /auth/login          | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
POST   /auth/refresh        | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
POST   /auth/logout         | 401       | 401             | 401 | 204             | 204             | 403             | 403             | 403
GET    /auth/me             | 401       | 401             | 401 | 200             | 200             | 200             | 403             | 200
POST   /auth/password       | 401       | 401             | 401 | 200             | 200             | 403             | 403             | 403
GET    /auth/sessions       | 401       | 401             | 401 | 200             | 200             | 200             | 403             | 200
DELETE /auth/sessions/:id   | 401       | 401             | 401 | 204 404 404     | 204 404 404     | 403             | 403             | 403
GET    /auth/tokens         | 401       | 401             | 401 | 200             | 200             | 200             | 403             | 200
POST   /auth/tokens         | 401       | 401             | 401 | 201             | 201             | 403             | 403             | 403
DELETE /auth/tokens/:id     | 401       | 401             | 401 | 204 404 404     | 204 404 404     | 403             | 403             | 403
POST   /auth/ticket         | 401       | 201             | 401 | 201             | 201             | 201             | 403             | 201
GET    /auth/setup          | 401       | 401             | 401 | 401             | 401             | 401             | 401             | 401
POST   /auth/setup          | 401       | 401             | 401 | 401             | 401             | 401             | 401             | 401
GET    /ws                  | 401       | 426             | 401 | 426             | 426             | 426             | 426             | 426
GET    /ws/tasks            | 401       | 426             | 401 | 426             | 426             | 426             | 426             | 426
WS     /ws                  | open      | open            | 401 | open            | open            | open            | 403             | open
WS     /ws/tasks            | open      | open            | 401 | open            | open            | open            | 403             | open
GET    /                    | 302       | 302             | 302 | 302             | 302             | 302             | 302             | 302
GET    /health              | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /health/ready        | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /openapi.json        | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /docs/**             | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /swagger/**          | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
GET    /redoc/**            | 200       | 200             | 200 | 200             | 200             | 200             | 200             | 200
`

const [header, ...lines] = table
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
const rows = lines.map(([route, ...cells]) => {
  const [method, path] = route!.split(/ +/) as [string, string]
  const expected = Object.fromEntries(cells.map((cell, i) => [header![i + 1], cell.split(' ')]))
  return { method, path, expected: expected as Record<string, string[]> }
})

/** What a route with a parameter is asked about, in the order of the table. */
function thingsOf(path: string): string[] {
  if (path.startsWith('/tasks/')) return ['own', 'foreign', "nobody's", 'absent']
  if (path.startsWith('/importers/')) return ['known', 'absent']
  return path.includes(':') ? ['own', 'foreign', 'absent'] : ['']
}

/** Bodies with which each is done that may be done. */
const bodies: Record<string, (world: World, caller: Caller) => unknown> = {
  'POST /tasks': () => ({ title: 'New' }),
  'PATCH /tasks/:id': () => ({ title: 'Changed' }),
  'PUT /tasks/:id': () => ({ title: 'Replaced' }),
  'PATCH /users/:id': () => ({ role: 'admin' }),
  'POST /auth/register': () => ({ username: randomUUID(), password: PASSWORD }),
  'POST /auth/login': () => ({ username: 'anna', password: PASSWORD }),
  'POST /auth/refresh': async ({ request }) => {
    const { text } = await request('POST', '/auth/login', { body: { username: 'anna', password: PASSWORD } })
    return { refresh_token: JSON.parse(text).refresh_token }
  },
  'POST /auth/password': () => ({ current_password: PASSWORD, new_password: PASSWORD }),
  'POST /auth/tokens': () => ({ name: 'New', scopes: ['read'] }),
  'POST /auth/setup': () => ({ token: 'x', username: 'mallory', password: PASSWORD }),
}
