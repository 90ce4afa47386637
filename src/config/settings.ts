import { choice, integer, list, text, url } from './setting.ts'

function origin(item: string): string {
  const parsed = URL.canParse(item) ? new URL(item) : undefined
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.origin !== item.replace(/\/$/, '')) {
    throw new Error(`must list origins such as https://app.example.com, got "${item}"`)
  }
  return parsed.origin
}

function hostName(item: string): string {
  const address = `http://${item}`
  if (!URL.canParse(address) || new URL(address).hostname !== item.toLowerCase()) {
    throw new Error(`must list host names without a port, such as tasks.example.com, got "${item}"`)
  }
  return item.toLowerCase()
}

/** Every setting of the server, by its name in the environment. The order is the order of the reference. */
export const settings = {
  PORT: integer({ default: 8000, min: 0, max: 65535, help: 'TCP port to listen on; 0 takes a free one' }),
  HOST: text({ default: '127.0.0.1', help: 'Address to listen on; 0.0.0.0 or :: listens on all' }),
  DATA_DIR: text({ default: './data', help: 'Folder of the embedded PostgreSQL and other local state' }),
  DATABASE_URL: url({
    default: undefined,
    protocols: ['postgresql:', 'postgres:'],
    rewrite: (given) => given.replace(/^postgres(ql)?\+\w+:/, 'postgresql:'),
    secret: true,
    help: 'PostgreSQL (15 or newer) to use; absent: an embedded PostgreSQL in DATA_DIR',
  }),
  AUTH_MODE: choice({
    default: 'auto',
    of: ['auto', 'required', 'open'],
    help: 'Who may call: required (a token), open (everybody is the local operator), auto (open on loopback only)',
  }),
  ALLOWED_HOSTS: list(
    {
      default: [],
      help: 'Host names besides the loopback ones that are answered while access is open, comma separated',
    },
    hostName,
  ),
  CORS_ORIGINS: list(
    { default: [], help: 'Origins whose pages may call this server, comma separated' },
    origin,
  ),
  STATUS_LABELS: choice({
    default: 'snake',
    of: ['snake', 'title'],
    help: 'How a status is written: snake (todo, in_progress, …) or title (New, In Progress, …)',
  }),
  IMPORTS: choice({ default: 'on', of: ['on', 'off'], help: 'Scheduled imports; runs by hand always work' }),
  TODO_SOURCE_URL: url({
    default: 'https://jsonplaceholder.typicode.com/todos',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'Where the importer "todos" reads',
  }),
  BACKGROUND_TASK_INTERVAL: integer({
    default: 300,
    min: 5,
    max: 2_592_000,
    help: 'Seconds between two runs of the importer "todos"',
  }),
  EVENT_RETENTION_DAYS: integer({ default: 7, min: 1, max: 3650, help: 'Days for which events are kept' }),
  TRASH_DAYS: integer({ default: 30, min: 1, max: 3650, help: 'Days after which a deleted task is purged' }),
  LOG_LEVEL: choice({
    default: 'info',
    of: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    help: 'The least severe level that is logged',
  }),
  LOG_FILE: text({ default: 'app.log', help: 'File that gets the log too, as JSON lines; off: none' }),
}

export type Settings = {
  [K in keyof typeof settings]: ReturnType<(typeof settings)[K]['parse']> | (typeof settings)[K]['fallback']
}
