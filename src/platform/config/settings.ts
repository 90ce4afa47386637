import { isIP } from 'node:net'
import { choice, integer, list, secret, text, url, words } from './setting.ts'

/** The roles that a process can have. */
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

/** Returns a host name, or an IP address in the spelling of the URL standard without brackets. */
function hostOrAddress(item: string): string {
  const address = item.replace(/^\[(.*)\]$/, '$1')
  return isIP(address) === 6 ? new URL(`http://[${address}]`).hostname.slice(1, -1) : hostName(item)
}

function networkAddress(item: string): string {
  const [address = '', bits, ...rest] = item.split('/')
  const maxBits = isIP(address) === 6 ? 128 : 32
  const isRange = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= maxBits)
  if (isIP(address) === 0 || !isRange || rest.length > 0) {
    throw new Error(`must list IP addresses or networks such as 10.0.0.0/8, got "${item}"`)
  }
  return item
}

function queueName(item: string): string {
  // AMQP allows names of 255 bytes; the name of the dead-letter queue is five bytes longer.
  if (Buffer.byteLength(item) > 250 || item.startsWith('amq.'))
    throw new Error(`must be a name of at most 250 bytes that does not start with "amq.", got "${item}"`)
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

/** All settings of the server, by the name of their environment variable, in the order of the reference. */
export const settings = {
  PORT: integer({ default: 8000, min: 0, max: 65535, help: 'TCP port to listen on; 0 picks a free port' }),
  HOST: text({ default: '127.0.0.1', help: 'Address to listen on; 0.0.0.0 or :: means all addresses' }),
  DATA_DIR: text({ default: './data', help: 'Folder of the embedded PostgreSQL and other local state' }),
  DATABASE_URL: url({
    default: undefined,
    protocols: ['postgresql:', 'postgres:'],
    rewrite: (given) => given.replace(/^postgres(ql)?\+\w+:/, 'postgresql:'),
    secret: true,
    help: 'PostgreSQL (15 or newer); if unset, an embedded PostgreSQL runs in DATA_DIR',
  }),
  AUTH_MODE: choice({
    default: 'auto',
    of: ['auto', 'required', 'open'],
    help: 'Who may call the API: required (callers with a token), open (everyone, as the local operator), auto (open if HOST is loopback, else required)',
  }),
  SECRET_KEY: list(
    {
      default: [],
      secret: true,
      help: 'Key that signs access and refresh tokens, at least 32 bytes. To rotate it, list several keys, comma separated: the first signs, all are accepted. Generated in DATA_DIR if unset',
    },
    longKey,
  ),
  ACCESS_TOKEN_EXPIRE_MINUTES: integer({
    default: 30,
    min: 1,
    max: 1440,
    help: 'Lifetime of an access token, in minutes',
  }),
  REFRESH_TOKEN_EXPIRE_MINUTES: integer({
    default: 43_200,
    min: 1,
    max: 5_256_000,
    help: 'Minutes after which a session ends if it is not refreshed',
  }),
  ADMIN_USERNAME: text({
    default: undefined,
    help: 'User name of the first admin, created at start if no admin exists',
  }),
  ADMIN_PASSWORD: secret({ default: undefined, help: 'Password of ADMIN_USERNAME' }),
  RATE_LIMIT_PER_MINUTE: integer({
    default: 100,
    min: 0,
    max: 1_000_000,
    help: 'Maximum number of requests per minute for each user, and for each address without a user; 0: no limit',
  }),
  TRUST_PROXY: list(
    {
      default: [],
      help: 'Addresses or networks of proxies whose X-Forwarded-* headers are trusted, comma separated',
    },
    networkAddress,
  ),
  REDIS_URL: url({
    default: undefined,
    protocols: ['redis:', 'rediss:'],
    secret: true,
    help: 'Redis for sessions, rate limits and the weather cache; if unset, the database and memory are used',
  }),
  ROLES: words({
    default: roles,
    of: roles,
    help: 'Roles of this process, comma separated: api (HTTP, WebSocket), worker (jobs), scheduler (imports, purges), relay (webhooks, brokers)',
  }),
  WORKERS: integer({
    default: 1,
    min: 1,
    max: 64,
    help: 'Number of identical processes that share the port; one more process supervises them',
  }),
  NATS_URL: url({
    default: undefined,
    protocols: ['nats:', 'tls:'],
    secret: true,
    help: 'NATS server that events are published to and currency rates are read from; credentials as user:password@ or token@. If unset, NATS is not used',
  }),
  NATS_HOST: text({ default: undefined, help: 'Host of the NATS server, an alternative to NATS_URL' }, host),
  NATS_PORT: integer({ default: 4222, min: 1, max: 65535, help: 'Port of NATS_HOST' }),
  NATS_SUBJECT: text(
    { default: 'currencies', help: 'NATS subject on which services publish currency rates to each other' },
    subject,
  ),
  ALLOWED_HOSTS: list(
    {
      default: [],
      help: 'Host names, besides the loopback ones, that requests may use while access is open, comma separated',
    },
    hostName,
  ),
  CORS_ORIGINS: list(
    { default: [], help: 'Origins whose web pages may call this server, comma separated' },
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
    help: 'Maximum number of task jobs that this process runs at the same time; 0: none',
  }),
  JOB_HTTP_ALLOW: list(
    { default: [], help: 'Non-public hosts that http jobs may call, comma separated' },
    hostName,
  ),
  RABBITMQ_URL: url({
    default: undefined,
    protocols: ['amqp:', 'amqps:'],
    secret: true,
    help: 'RabbitMQ server whose messages become tasks; if unset, RabbitMQ is not used',
  }),
  RABBITMQ_QUEUE: text(
    {
      default: 'task_queue',
      help: 'Queue of these messages, declared by its name alone; a restart of RabbitMQ loses its messages',
    },
    queueName,
  ),
  RABBITMQ_DURABLE_QUEUE: text(
    { default: undefined, help: 'A second queue, of type quorum, for producers that must not lose messages' },
    queueName,
  ),
  IMPORTS: choice({
    default: 'on',
    of: ['on', 'off'],
    help: 'Whether imports run on schedule; manual runs always work',
  }),
  TODO_SOURCE_URL: url({
    default: 'https://jsonplaceholder.typicode.com/todos',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'URL that the importer "todos" reads',
  }),
  BACKGROUND_TASK_INTERVAL: integer({
    default: 300,
    min: 5,
    max: 2_592_000,
    help: 'Interval of the importer "todos", in seconds',
  }),
  WEBHOOK_ALLOW: list(
    {
      default: [],
      help: 'Non-public hosts (names or IP addresses) that webhooks may be sent to, comma separated',
    },
    hostOrAddress,
  ),
  CBR_URL: url({
    default: 'https://www.cbr.ru/scripts/XML_daily.asp',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'URL that the importer "currencies" reads',
  }),
  CURRENCY_INTERVAL: integer({
    default: 3600,
    min: 5,
    max: 2_592_000,
    help: 'Interval of the importer "currencies", in seconds',
  }),
  CURRENCY_BACKFILL_DAYS: integer({
    default: 30,
    min: 0,
    max: 3650,
    help: 'Number of past days whose official rates are added to the history; 0: none',
  }),
  WEATHER: choice({
    default: 'on',
    of: ['on', 'off'],
    help: 'Whether tasks show the weather of their city; the provider is OpenWeather if OPENWEATHER_API_KEY is set, else Open-Meteo',
  }),
  OPENWEATHER_API_KEY: secret({ default: undefined, help: 'API key for OpenWeather' }),
  OPENWEATHER_URL: url({
    default: 'https://api.openweathermap.org/data/2.5/weather',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'URL of the OpenWeather API for current weather',
  }),
  OPEN_METEO_URL: url({
    default: 'https://api.open-meteo.com/v1/forecast',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'URL of the Open-Meteo forecast API',
  }),
  OPEN_METEO_GEOCODING_URL: url({
    default: 'https://geocoding-api.open-meteo.com/v1/search',
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'URL of the Open-Meteo geocoding API, which finds the coordinates of a city',
  }),
  WEATHER_REQUESTS_PER_MINUTE: integer({
    default: 60,
    min: 1,
    max: 100_000,
    help: 'Maximum number of requests per minute to the weather provider; further tasks get their weather later',
  }),
  EVENT_RETENTION_DAYS: integer({ default: 7, min: 1, max: 3650, help: 'Days that events are retained' }),
  TRASH_DAYS: integer({
    default: 30,
    min: 1,
    max: 3650,
    help: 'Days after which a deleted task is removed permanently',
  }),
  ATTACHMENT_MAX_BYTES: integer({
    default: 25 * 2 ** 20,
    min: 1,
    max: 5 * 2 ** 30,
    help: 'Maximum size of one attachment, in bytes',
  }),
  ATTACHMENT_QUOTA_BYTES: integer({
    default: 2 ** 30,
    min: 0,
    max: 2 ** 49,
    help: 'Maximum total size of the attachments of all tasks of one user, in bytes; 0: no limit',
  }),
  S3_BUCKET: text({
    default: undefined,
    help: 'S3 bucket for attachments; if unset, the folder attachments in DATA_DIR is used',
  }),
  S3_ENDPOINT: url({
    default: undefined,
    protocols: ['https:', 'http:'],
    secret: true,
    help: 'URL of an S3 server other than AWS; the bucket name is then part of the path',
  }),
  S3_REGION: text({ default: 'us-east-1', help: 'Region of the bucket' }),
  S3_ACCESS_KEY_ID: text({
    default: undefined,
    help: 'Access key for S3; if unset, the AWS SDK looks for credentials, such as the role of the machine',
  }),
  S3_SECRET_ACCESS_KEY: secret({ default: undefined, help: 'Secret key of S3_ACCESS_KEY_ID' }),
  LOG_LEVEL: choice({
    default: 'info',
    of: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    help: 'Minimum log level',
  }),
  LOG_FILE: text({
    default: 'app.log',
    help: 'File that the log is also written to, as JSON lines; off: none',
  }),
}

export type Settings = {
  [K in keyof typeof settings]: ReturnType<(typeof settings)[K]['parse']> | (typeof settings)[K]['fallback']
}
