import { isIP } from 'node:net'
import { choice, integer, list, secret, text, url, words } from './setting.ts'

/** What a process can do. */
export const roles = ['api', 'worker', 'scheduler', 'relay'] as const
export type ProcessRole = (typeof roles)[number]

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

/** In the form that a URL gives it, an IPv6 address without its brackets. */
function hostOrAddress(item: string): string {
  const address = item.replace(/^\[(.*)\]$/, '$1')
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : hostName(item)
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

function queueName(item: string): string {
  // AMQP takes names of 255 bytes, of which ours for dead letters are five longer.
  if (Buffer.byteLength(item) > 250 || item.startsWith('amq.'))
    throw new Error(`must be a name of at most 250 bytes that does not begin with "amq.", got "${item}"`)
  return item
}

function longKey(item: string): string {
  if (Buffer.byteLength(item) < 32)
    throw new Error(
      'must have at least 32 bytes in each key; keys are comma separated (openssl rand -hex 32)',
    )
  return item
}

function host(item: string): string {
  const bare = item.replace(/^\[(.*)\]$/, '$1')
  if (isIP(bare) === 0 && !/^[\w-]+(\.[\w-]+)*\.?$/.test(bare)) {
    throw new Error(`must be a host name or an address, got "${item}"`)
  }
  return bare
}

function subject(item: string): string {
  if (!/^[\w-]{1,100}(\.[\w-]{1,100}){0,9}$/.test(item) || /^(taskwire\.events|_INBOX)(\.|$)/.test(item)) {
    throw new Error(`must be a subject of words and dots, such as currencies, got "${item}"`)
  }
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
    help: 'Redis for sessions, rate limits and the cache of weather; absent: the database, and memory',
  }),
  ROLES: words({
    default: roles,
    of: roles,
    help: 'What this process does, comma separated: api (requests, sockets), worker (jobs), scheduler (imports, purges), relay (webhooks, brokers)',
  }),
  WORKERS: integer({
    default: 1,
    min: 1,
    max: 64,
    help: 'Processes that share the port and do the same; one more supervises them',
  }),
  NATS_URL: url({
    default: undefined,
    protocols: ['nats:', 'tls:'],
    secret: true,
    help: 'NATS, for events and for rates of other services; credentials as user:password@ or token@. Absent: none',
  }),
  NATS_HOST: text({ default: undefined, help: 'The host of NATS, in place of NATS_URL' }, host),
  NATS_PORT: integer({ default: 4222, min: 1, max: 65535, help: 'The port of NATS_HOST' }),
  NATS_SUBJECT: text(
    { default: 'currencies', help: 'The NATS subject on which services tell each other of rates' },
    subject,
  ),
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
  WORKER_CONCURRENCY: integer({
    default: 4,
    min: 0,
    max: 200,
    help: 'How many jobs of executable tasks this process runs at a time; 0: none',
  }),
  JOB_HTTP_ALLOW: list(
    { default: [], help: 'Hosts that http jobs may call though they are not public, comma separated' },
    hostName,
  ),
  RABBITMQ_URL: url({
    default: undefined,
    protocols: ['amqp:', 'amqps:'],
    secret: true,
    help: 'RabbitMQ whose messages become tasks; absent: none',
  }),
  RABBITMQ_QUEUE: text(
    {
      default: 'task_queue',
      help: 'Queue they come by, declared by its name alone; messages are lost when RabbitMQ restarts',
    },
    queueName,
  ),
  RABBITMQ_DURABLE_QUEUE: text(
    { default: undefined, help: 'A second queue, of the type quorum, for producers that want nothing lost' },
    queueName,
  ),
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
  WEBHOOK_ALLOW: list(
    {
      default: [],
      help: 'Hosts, names or IP addresses, that webhooks may be sent to though they are not public, comma separated',
    },
    hostOrAddress,
  ),
  CBR_URL: url({
    default: 'https://www.cbr.ru/scripts/XML_daily.asp',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'Where the importer "currencies" reads',
  }),
  CURRENCY_INTERVAL: integer({
    default: 3600,
    min: 5,
    max: 2_592_000,
    help: 'Seconds between two runs of the importer "currencies"',
  }),
  CURRENCY_BACKFILL_DAYS: integer({
    default: 30,
    min: 0,
    max: 3650,
    help: 'Days before today whose official rates are added to the history; 0: none',
  }),
  WEATHER: choice({
    default: 'on',
    of: ['on', 'off'],
    help: 'Whether tasks get the weather of their city, from OpenWeather if OPENWEATHER_API_KEY is set, else from Open-Meteo',
  }),
  OPENWEATHER_API_KEY: secret({ default: undefined, help: 'The key for OpenWeather' }),
  OPENWEATHER_URL: url({
    default: 'https://api.openweathermap.org/data/2.5/weather',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'Where OpenWeather tells the current weather of a city',
  }),
  OPEN_METEO_URL: url({
    default: 'https://api.open-meteo.com/v1/forecast',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'Where Open-Meteo tells the current weather of a place',
  }),
  OPEN_METEO_GEOCODING_URL: url({
    default: 'https://geocoding-api.open-meteo.com/v1/search',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'Where Open-Meteo tells in which place a city is',
  }),
  WEATHER_REQUESTS_PER_MINUTE: integer({
    default: 60,
    min: 1,
    max: 100_000,
    help: 'Requests a minute to the weather provider; tasks beyond get their weather later',
  }),
  EVENT_RETENTION_DAYS: integer({ default: 7, min: 1, max: 3650, help: 'Days for which events are kept' }),
  TRASH_DAYS: integer({ default: 30, min: 1, max: 3650, help: 'Days after which a deleted task is purged' }),
  ATTACHMENT_MAX_BYTES: integer({
    default: 25 * 2 ** 20,
    min: 1,
    max: 5 * 2 ** 30,
    help: 'Bytes that one attachment may have',
  }),
  ATTACHMENT_QUOTA_BYTES: integer({
    default: 2 ** 30,
    min: 0,
    max: 2 ** 49,
    help: 'Bytes that the attachments of all tasks of one user may have together; 0: no limit',
  }),
  S3_BUCKET: text({
    default: undefined,
    help: 'Bucket that keeps the attachments; absent: the folder attachments in DATA_DIR',
  }),
  S3_ENDPOINT: url({
    default: undefined,
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'Where S3 is, if it is not that of AWS; buckets are then part of the path',
  }),
  S3_REGION: text({ default: 'us-east-1', help: 'Region of the bucket' }),
  S3_ACCESS_KEY_ID: text({
    default: undefined,
    help: 'Access key for S3; absent: what the AWS SDK finds, such as the role of the machine',
  }),
  S3_SECRET_ACCESS_KEY: secret({ default: undefined, help: 'The secret of S3_ACCESS_KEY_ID' }),
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
