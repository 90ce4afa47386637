import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { eventually } from '../support/eventually.ts'
import { mark, type User } from '../support/owned-things.ts'
import { type Caller, seesAll, startWorld, type World } from '../support/route-matrix.ts'
import { startUpstream, type Upstream } from '../support/upstream.ts'

const paths = ['/ws', '/ws/tasks']
const ways = ['header', 'ticket', 'message'] as const

/**
 * What comes of a socket by each way to say who one is: it is open, or the status of the refused handshake or
 * ticket, or the code it is closed with. While access is open it is the operator's until something else is said.
 */
const table = `
          | header | ticket | message
operator  | open   | open   | -
user      | open   | open   | open
admin     | open   | open   | open
reader    | open   | open   | open
admin key | open   | open   | open
writer    | 403    | 403    | 4403
bad       | 401    | 401    | 4401
`
const expected: Record<string, string[]> = Object.fromEntries(
  table
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map(([column, ...cells]) => [column, cells]),
)

interface Listener {
  caller: Caller
  socket: WebSocket
  events: {
    type: string
    data: { task?: { id: number; title: string }; task_id?: number; importer?: string }
  }[]
}

let upstream: Upstream
beforeAll(async () => {
  upstream = await startUpstream()
})
afterAll(() => upstream[Symbol.asyncDispose]())

/** An open socket, or why there is none. */
async function connect(world: World, caller: Caller, path: string, way: string): Promise<Listener | string> {
  const token = await caller.token()
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  let query = ''
  if (way === 'ticket') {
    const { status, text } = await world.request('POST', '/auth/ticket', { token })
    if (status !== 201) return String(status)
    query = `?ticket=${JSON.parse(text).ticket}`
  }
  const socket = new WebSocket(`${world.app.url.replace('http', 'ws')}${path}${query}`, {
    headers: way === 'header' ? headers : {},
  })
  const events: Listener['events'] = []
  socket.on('message', (data) => events.push(JSON.parse(String(data))))
  const { promise, resolve } = Promise.withResolvers<string>()
  socket.on('error', () => {})
  socket.on('open', () => resolve('open'))
  socket.on('unexpected-response', (outgoing, { statusCode }) => {
    outgoing.destroy()
    resolve(String(statusCode))
  })
  const outcome = await promise
  if (outcome !== 'open') return outcome
  if (way === 'message') socket.send(JSON.stringify({ type: 'auth', token }))
  return { caller, socket, events }
}

describe.each(['required', 'open'] as const)('while access is %s', (mode) => {
  let world: World
  beforeAll(async () => {
    world = await startWorld(mode, upstream.url)
  })
  afterAll(() => world[Symbol.asyncDispose]())
  const offered = mode === 'open' ? ways.slice(0, 2) : ways

  const root = () => world.callers.find(({ column }) => column === 'admin')!
  const asRoot = async (method: string, path: string, body?: object) => {
    const { status, text } = await world.request(method, path, { token: await root().token(), body })
    expect([200, 204]).toContain(status)
    return text && JSON.parse(text)
  }

  /** What each task is called here. */
  const names = new Map<number, string>()
  async function appear(owner: User | null, name = mark(owner)): Promise<string> {
    const id = await world.make('/tasks/:id/restore', owner)
    names.set(Number(id), name)
    await asRoot('POST', `/tasks/${id}/restore`)
    return id
  }
  /** A task of `owner` is created, changed and deleted, by an admin. */
  async function live(owner: User | null): Promise<void> {
    const id = await appear(owner)
    await asRoot('PATCH', `/tasks/${id}`, { completed: true })
    await asRoot('DELETE', `/tasks/${id}`)
  }
  const lifeOf = (owner: User | null) =>
    ['created', 'updated', 'deleted'].map((what) => `task_${what} ${mark(owner)}`)

  test('a socket is opened to whom the table says', async () => {
    for (const caller of world.callers.filter(({ column }) => column !== 'anonymous')) {
      for (const [i, way] of ways.entries()) {
        if (!offered.includes(way)) continue
        const wanted = expected[caller.column]![i]!
        for (const path of paths) {
          const got = await connect(world, caller, path, way)
          const who = `${caller.column} (${caller.name}), ${way}`
          if (typeof got === 'string') expect(`${who}: ${got}`).toBe(`${who}: ${wanted}`)
          else if (wanted === 'open') got.socket.terminate()
          else
            expect([who, ...(await once(got.socket, 'close'))]).toEqual([
              who,
              Number(wanted),
              expect.anything(),
            ])
        }
      }
    }
  })

  test('each hears of their own tasks, who may read everything of everything, a stranger of nothing', async () => {
    const { anna, boris, root } = world.users
    await asRoot('POST', '/task-generator/run')
    const strangers: Listener[] = []
    const listeners: Listener[] = []
    for (const path of paths) {
      for (const caller of world.callers.filter(({ column }) => !['bad', 'writer'].includes(column))) {
        for (const way of caller.column === 'anonymous' ? ['header'] : offered) {
          const listener = (await connect(world, caller, path, way)) as Listener
          ;(caller.column === 'anonymous' ? strangers : listeners).push(listener)
        }
      }
    }
    // A socket that says in a message whose it is gets no answer: it is admitted once it hears something.
    await eventually(async () => {
      for (const user of [anna, boris, root]) await live(user)
      return listeners.every(({ events }) => events.length > 0)
    }, 'all are admitted')
    await live(boris)
    await live(null)
    await asRoot('POST', '/task-generator/run')
    await live(root)
    await live(anna)
    for (const user of [anna, boris, root]) await appear(user, `the last ${mark(user)}`)
    const ends = [anna, boris, root].map((user) => `task_created the last ${mark(user)}`)
    const imported = 'background_task_completed todos'
    const everything = [
      ...lifeOf(boris),
      ...lifeOf(null),
      imported,
      ...lifeOf(root),
      ...lifeOf(anna),
      ...ends,
    ]
    for (const { caller, events } of listeners) {
      const told = () =>
        events.map(
          ({ type, data: { task, task_id: id, importer } }) =>
            `${type} ${importer ?? names.get(id ?? task!.id)}`,
        )
      const end = `task_created the last ${mark(seesAll(caller) ? root : caller.user!)}`
      await eventually(() => told().includes(end), `${caller.name} has heard the last`)
      const wanted = seesAll(caller) ? everything : [...lifeOf(caller.user!), end]
      expect(told().slice(-wanted.length)).toEqual(wanted)
      if (!seesAll(caller)) expect(told().filter((text) => !wanted.includes(text))).toEqual([])
    }
    expect(strangers.map(({ events }) => events)).toEqual(strangers.map(() => []))
    for (const { socket } of [...listeners, ...strangers]) socket.terminate()
  })
})
