import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, join, matchesGlob } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadConfig } from '../../src/platform/config/config.ts'
import { settings } from '../../src/platform/config/settings.ts'

// Neither Docker nor systemd runs here: what the files say is compared to what they speak of.

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (name: string) => readFileSync(join(root, name), 'utf8')

interface Service {
  image: string
  profiles?: string[]
  environment?: Record<string, string | null>
  ports?: string[]
  volumes?: string[]
  secrets?: string[]
  depends_on?: Record<string, { condition: string }> | string[]
  healthcheck?: object
}
interface Compose {
  services: Record<string, Service>
  volumes: Record<string, null>
  secrets: Record<string, { file: string }>
}

/** As compose reads it where none of its variables is set. */
const compose = parse(
  read('compose.yaml').replace(/\$\{\w+:-([^}]*)\}/g, (_, fallback: string) => fallback),
  { merge: true },
) as Compose
const services = Object.entries(compose.services)
const ours = services.filter(([, { image }]) => image.startsWith('taskwire:'))

/** The instructions of a Dockerfile, continued lines joined. */
const instructions = read('Dockerfile')
  .replace(/^#.*\n/gm, '')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => line.trim().split(/\s+/))
const stages = instructions
  .filter(([word]) => word === 'FROM')
  .map(([, image, , name]) => ({ image: image!, name }))
const environmentOfImage = Object.fromEntries(
  instructions
    .filter(([word]) => word === 'ENV')
    .flatMap(([, ...pairs]) => pairs.map((pair) => pair.split('='))),
) as Record<string, string>

test.for(ours)('%s has settings that Taskwire knows and takes', ([, { environment = {} }]) => {
  const values = Object.fromEntries(
    Object.entries({ ...environmentOfImage, ...environment }).map(([name, value]) => [
      name,
      value ?? undefined,
    ]),
  )
  expect(Object.keys(settings)).toEqual(expect.arrayContaining(Object.keys(values)))
  const config = loadConfig({ values, fileNames: [] })
  expect(config).toMatchObject({ access: 'required', DATA_DIR: '/data', LOG_FILE: 'off' })
})

test('what the settings name is there, with the same names and passwords', () => {
  const { DATABASE_URL, REDIS_URL, NATS_URL, RABBITMQ_URL, S3_ENDPOINT, ...s3 } = compose.services['app-1']!
    .environment as Record<string, string>
  for (const url of [DATABASE_URL, REDIS_URL, NATS_URL, RABBITMQ_URL, S3_ENDPOINT])
    expect(Object.keys(compose.services)).toContain(new URL(url!).hostname)
  const credentials = (url: string) => [new URL(url).username, new URL(url).password]
  const { postgres, rabbitmq, s3: minio } = compose.services
  expect(credentials(DATABASE_URL!)).toEqual([
    postgres!.environment!.POSTGRES_USER,
    postgres!.environment!.POSTGRES_PASSWORD,
  ])
  expect(new URL(DATABASE_URL!).pathname).toBe(`/${postgres!.environment!.POSTGRES_USER}`)
  expect(credentials(RABBITMQ_URL!)).toEqual([
    rabbitmq!.environment!.RABBITMQ_DEFAULT_USER,
    rabbitmq!.environment!.RABBITMQ_DEFAULT_PASS,
  ])
  expect([s3.S3_ACCESS_KEY_ID, s3.S3_SECRET_ACCESS_KEY]).toEqual([
    minio!.environment!.MINIO_ROOT_USER,
    minio!.environment!.MINIO_ROOT_PASSWORD,
  ])
  expect(read('compose.yaml')).toContain(`/data/${s3.S3_BUCKET} `)
})

test('together the processes of the profile full have every role', () => {
  const roles = ours.filter(([, { profiles }]) => profiles).map(([, { environment }]) => environment!.ROLES!)
  expect(new Set(roles.flatMap((role) => role.split(',')))).toEqual(new Set(settings.ROLES.fallback))
})

test('a service depends only on those that start with it', () => {
  for (const [name, { depends_on = {}, profiles }] of services) {
    const needed = Array.isArray(depends_on) ? depends_on : Object.keys(depends_on)
    for (const other of needed) {
      expect(compose.services[other], `${name} needs ${other}`).toBeDefined()
      expect(compose.services[other]!.profiles ?? profiles).toEqual(profiles)
      const isHealthAwaited = !Array.isArray(depends_on) && depends_on[other]!.condition === 'service_healthy'
      // That of our image is in its Dockerfile.
      if (isHealthAwaited && !ours.some(([own]) => own === other))
        expect(compose.services[other]!.healthcheck).toBeDefined()
    }
  }
  expect(services.filter(([, { profiles }]) => !profiles).map(([name]) => name)).toEqual(['taskwire'])
  expect(new Set(services.flatMap(([, { profiles = [] }]) => profiles))).toEqual(
    new Set(['full', 'monitoring']),
  )
})

test('ports are published once, and to this machine only', () => {
  const published = services.flatMap(([, { ports = [] }]) => ports)
  for (const port of published) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
  const outside = published.map((port) => port.split(':')[1])
  expect(new Set(outside).size).toBe(outside.length)
})

test('volumes are declared, files that are mounted are here, and images have a version', () => {
  for (const [name, { image, volumes = [], secrets = [] }] of services) {
    for (const volume of volumes) {
      const [source = '', target = ''] = volume.split(':')
      if (!source.startsWith('.')) expect(Object.keys(compose.volumes), name).toContain(source)
      else expect(existsSync(join(root, source)), `${source} at ${target}`).toBe(true)
    }
    expect(Object.keys(compose.secrets)).toEqual(expect.arrayContaining(secrets))
    expect(image).toMatch(/:(?!latest)[\w.-]+$/)
  }
  const ignored = read('.gitignore').split('\n')
  for (const { file } of Object.values(compose.secrets)) expect(ignored).toContain(file.replace('./', ''))
})

test('the proxy and Prometheus find every process at the port of the image', () => {
  const { PORT } = environmentOfImage
  const [, upstreams] = /reverse_proxy (.*) \{/.exec(read('deploy/Caddyfile'))!
  expect(upstreams!.split(' ')).toEqual(['app-1', 'app-2'].map((name) => `${name}:${PORT}`))
  const { scrape_configs: scrapes } = parse(read('deploy/monitoring/prometheus.yml')) as {
    scrape_configs: {
      dns_sd_configs: { names: string[]; port: number }[]
      authorization: { credentials_file: string }
    }[]
  }
  const [{ dns_sd_configs, authorization }] = scrapes as [(typeof scrapes)[number]]
  expect(dns_sd_configs[0]!.names).toEqual(ours.map(([name]) => name))
  expect(dns_sd_configs[0]!.port).toBe(Number(PORT))
  expect(basename(authorization.credentials_file)).toBe(compose.services.prometheus!.secrets![0])
})

test('the image has the Node.js that Taskwire is tested with', () => {
  const { dependencies } = JSON.parse(read('package.json')) as { dependencies: { node: string } }
  expect(stages[0]!.image).toBe(`node:${dependencies.node}-bookworm-slim`)
  const earlier = ['base', 'build', 'modules']
  expect(stages.map(({ name }) => name)).toEqual([...earlier, undefined])
  for (const { image } of stages.slice(1)) expect(earlier).toContain(image)
})

test('what the image copies is here and not ignored; everything else is', () => {
  const [first, ...rules] = read('.dockerignore').trim().split('\n')
  expect(first).toBe('*')
  const kept = rules.filter((rule) => rule.startsWith('!')).map((rule) => rule.slice(1))
  const copied = instructions
    .filter(([word, ...args]) => word === 'COPY' && !args.some((arg) => arg.startsWith('--from=')))
    .flatMap(([, ...args]) => args.filter((arg) => !arg.startsWith('--')).slice(0, -1))
  expect(new Set(copied)).toEqual(new Set(kept))
  for (const path of copied) expect(existsSync(join(root, path)), path).toBe(true)
  const excluded = rules.filter((rule) => !rule.startsWith('!'))
  const { exclude } = JSON.parse(read('tsconfig.build.json')) as { exclude: string[] }
  for (const path of globSync('src/**/*.test.ts', { cwd: root })) {
    for (const patterns of [excluded, exclude])
      expect(
        patterns.some((pattern) => matchesGlob(path, pattern)),
        path,
      ).toBe(true)
  }
})

test('it ends by SIGTERM, says how it is, keeps its data and drops its rights', () => {
  const of = (name: string) =>
    instructions.filter(([word]) => word === name).map(([, ...rest]) => rest.join(' '))
  expect(of('STOPSIGNAL')).toEqual(['SIGTERM'])
  expect(of('HEALTHCHECK')[0]).toMatch(/CMD \["taskwire", "health"\]$/)
  expect(of('ENTRYPOINT')).toEqual(['["taskwire"]'])
  expect(of('CMD')).toEqual(['["serve"]'])
  expect(of('VOLUME')).toEqual([environmentOfImage.DATA_DIR])
  expect(of('EXPOSE')).toEqual([environmentOfImage.PORT])
  expect(read('deploy/taskwire.sh')).toMatch(/exec setpriv --reuid=node --regid=node/)
})

test('the unit for systemd starts the command of the package, with settings there are, and lets it stop in order', () => {
  const unit = read('deploy/taskwire.service')
  const of = (name: string) => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1]
  const { bin } = JSON.parse(read('package.json')) as { bin: Record<string, string> }
  const [env, command, ...args] = of('ExecStart')!.split(' ')
  expect([env, args]).toEqual(['/usr/bin/env', ['serve']])
  expect(Object.keys(bin)).toContain(command)
  const given = of('Environment')!
    .split(' ')
    .map((pair) => pair.split('=')[0])
  expect(Object.keys(settings)).toEqual(expect.arrayContaining(given))
  // Else PostgreSQL would go at the same time as the server: docs/adr/0001.
  expect(of('KillMode')).toBe('mixed')
  expect(Number(of('TimeoutStopSec'))).toBeGreaterThan(20)
})
