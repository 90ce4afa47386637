/**
 * The peer of the HTTP bench: the least that a Node server can do for the same answers. Eight
 * pipelined connections, named statements; no validation, no events, no logging, no error handling.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import pg from 'pg'

const { TIMESTAMPTZ, INT8 } = pg.types.builtins
pg.types.setTypeParser(TIMESTAMPTZ, (text) => {
  const fraction = text.slice(20, -3).padEnd(6, '0')
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`
})
pg.types.setTypeParser(INT8, Number)

const clients = Array.from(
  { length: 8 },
  () =>
    new pg.Client({
      connectionString: process.env.DATABASE_URL,
      pipeline: true,
      options: '-c TimeZone=UTC -c DateStyle=ISO',
    }),
)
await Promise.all(clients.map((client) => client.connect()))
let turn = 0

const COLUMNS =
  'id, title, description, status, priority, due_at, labels, position, city, weather, user_id, source, job, version, created_at, updated_at'
const TOTAL = '(SELECT count(*) FROM tasks WHERE deleted_at IS NULL) AS total'
const list = (columns: string) =>
  `SELECT ${columns} FROM tasks WHERE deleted_at IS NULL ORDER BY id LIMIT $1 OFFSET $2`
const statements = {
  find: `SELECT ${COLUMNS} FROM tasks WHERE id = $1 AND deleted_at IS NULL`,
  list: list(`${COLUMNS}, ${TOTAL}`),
  listOnly: list(COLUMNS),
  insert: `INSERT INTO tasks (title, description, status, city) VALUES ($1, $2, $3, $4) RETURNING ${COLUMNS}`,
}

interface Row {
  [column: string]: unknown
}

async function query(name: keyof typeof statements, values: unknown[]): Promise<Row[]> {
  const client = clients[turn++ % clients.length]!
  return (await client.query<Row>({ name, text: statements[name], values })).rows
}

function present(row: Row) {
  return {
    id: row.id,
    title: row.title,
    description: row.description,
    status: row.status,
    completed: row.status === 'done',
    priority: row.priority,
    due_at: row.due_at,
    labels: row.labels,
    position: row.position,
    city: row.city,
    weather: row.weather,
    user_id: row.user_id,
    source: row.source,
    job: row.job,
    version: row.version,
    created_at: row.created_at,
    updated_at: row.updated_at,
  }
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = request.url!
  if (request.method === 'POST') {
    const { title, description = null } = JSON.parse(await bodyOf(request))
    const rows = await query('insert', [title, description, 'todo', null])
    send(response, 201, present(rows[0]!))
  } else if (url.startsWith('/tasks/')) {
    const rows = await query('find', [Number(url.slice(7))])
    send(response, 200, present(rows[0]!))
  } else if (url.startsWith('/tasks?limit=')) {
    const rows = await query('list', [Number(url.slice(13)), 0])
    response.setHeader('x-total-count', String(rows[0]?.total ?? 0))
    send(response, 200, rows.map(present))
  } else if (url.startsWith('/only-tasks?limit=')) {
    const rows = await query('listOnly', [Number(url.slice(18)), 0])
    send(response, 200, rows.map(present))
  } else {
    send(response, 200, {})
  }
}

function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      text += chunk
    })
    request.on('end', () => resolve(text))
  })
}

function send(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value)
  response.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
  })
  response.end(text)
}

createServer((request, response) => void answer(request, response)).listen(
  Number(process.env.PORT),
  '127.0.0.1',
)
process.once('SIGTERM', () => process.exit(0))
