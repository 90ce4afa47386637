import { isIP } from 'node:net'
import { choice, integer, list, secret, text, url } from './setting.ts'

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

function networkAddress(item: string): string {
  const [address = '', bits, ...rest] = item.split('/')
  const most = isIP(address) === 6 ? 128 : 32
  const isRange = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= most)
  if (isIP(address) === 0 || !isRange || rest.length > 0) {
    throw new Error(`must list IP addresses or networks such as 10.0.0.0/8, got "${item}"`)
  }
  return item
}

function longKey(item: string): string {
  if (Buffer.byteLength(item) < 32)
    throw new Error(
      'must have at least 32 bytes in each key; keys are comma separated (openssl rand -hex 32)',
    )
  return item
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
  SECRET_KEY: list(
    {
      default: [],
      secret: true,
      help: 'Key of access and refresh tokens, at least 32 bytes; several, comma separated, to change it: the first signs, all are taken. Absent: made and kept in DATA_DIR',
    },
    longKey,
  ),
  ACCESS_TOKEN_EXPIRE_MINUTES: integer({
    default: 30,
    min: 1,
    max: 1440,
    help: 'Minutes for which an access token is valid',
  }),
  REFRESH_TOKEN_EXPIRE_MINUTES: integer({
    default: 43_200,
    min: 1,
    max: 5_256_000,
    help: 'Minutes after which a session that is not refreshed ends',
  }),
  ADMIN_USERNAME: text({ default: undefined, help: 'The first admin, made at start when there is no admin' }),
  ADMIN_PASSWORD: secret({ default: undefined, help: 'The password of ADMIN_USERNAME' }),
  RATE_LIMIT_PER_MINUTE: integer({
    default: 100,
    min: 0,
    max: 1_000_000,
    help: 'Requests a minute of each user, and of each address without a user; 0: no limit',
  }),
  TRUST_PROXY: list(
    {
      default: [],
      help: 'Addresses or networks of proxies whose X-Forwarded-For is believed, comma separated',
    },
    networkAddress,
  ),
  REDIS_URL: url({
    default: undefined,
    protocols: ['redis:', 'rediss:'],
    secret: true,
    help: 'Redis for sessions and rate limits; absent: the database, and memory',
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
