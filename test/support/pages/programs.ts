import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import { eventually } from '../eventually.ts'
import { freePort } from '../free-port.ts'
import { hasNats } from '../nats.ts'
import { pythonWithPika } from '../python.ts'
import { rabbitUrl } from '../rabbitmq.ts'
import { root } from './pages.ts'
import type { Setting } from './setting.ts'

/** How a program that stands in a page is tried out. */
interface Trial {
  language: 'js' | 'python'
  /** What is said by the code that it is for. */
  about: RegExp
  /** False where a service is not there, which is said elsewhere. */
  isPossible: boolean
  /** What went wrong, if anything did. */
  run(code: string, setting: Setting): Promise<string | undefined>
}

/** Of a program on a busy machine. */
const START_MS = 30_000

/** In the order in which they are looked at. */
export const programs: readonly Trial[] = [
  { language: 'js', about: /createServer/, isPossible: true, run: receives },
  { language: 'python', about: /HTTPServer/, isPossible: true, run: receives },
  { language: 'js', about: /amqplib/, isPossible: Boolean(rabbitUrl), run: producesTask },
  { language: 'python', about: /pika/, isPossible: Boolean(rabbitUrl && pythonWithPika), run: producesTask },
  { language: 'js', about: /nc\.publish/, isPossible: hasNats, run: tellsRate },
  { language: 'js', about: /jetstream/, isPossible: hasNats, run: hears },
  { language: 'js', about: /new WebSocket/, isPossible: true, run: hears },
]

interface Running extends AsyncDisposable {
  said(): string
  ended: Promise<number | null>
}

function start(language: Trial['language'], code: string, env: Record<string, string>): Running {
  const child =
    language === 'js'
      ? spawn(process.execPath, ['--input-type=module', '--eval', code], { cwd: root, env })
      : spawn(pythonWithPika ?? 'python3', ['-u', '-c', code], { env })
  let said = ''
  for (const output of [child.stdout, child.stderr]) output.on('data', (data) => (said += data))
  const ended = once(child, 'close').then(([status]) => status as number | null)
  return {
    said: () => said,
    ended,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

const languageOf = (code: string) =>
  /^(import \w+(, \w+)*|from \w+ import .*)$/m.test(code) ? 'python' : 'js'

/** A program that prints what happens. */
async function hears(code: string, setting: Setting): Promise<string | undefined> {
  const token = await tokenOf(setting)
  await using program = start('js', `const token = ${JSON.stringify(token)}\n${code}`, setting.env)
  let count = 0
  await eventually(
    async () => {
      await setting.say(`Heard ${count++}`, token)
      // It needs its share of the machine to start.
      await delay(100)
      return /Heard \d|task_created/.test(program.said())
    },
    'it prints an event',
    START_MS,
  )
  return undefined
}

/** A program that sets a rate over NATS, and prints what it hears there: its own message, and ours. */
async function tellsRate(code: string, setting: Setting): Promise<string | undefined> {
  await using program = start('js', code, setting.env)
  const status = await program.ended
  const isTold = /my-service.*exchange_rate_parser/s.test(program.said())
  return status === 0 && isTold ? undefined : `ended with ${status}: ${program.said()}`
}

/** A program that publishes one message, which becomes a task. */
async function producesTask(code: string, setting: Setting): Promise<string | undefined> {
  const before = await setting.titles()
  await using program = start(languageOf(code), code, setting.env)
  const status = await program.ended
  if (status !== 0) return `ended with ${status}: ${program.said()}`
  await eventually(async () => (await setting.titles()).length === before.length + 1, 'its message is a task')
  return undefined
}

/** A receiver of webhooks, to which a genuine message and a forged one are sent. */
async function receives(code: string, setting: Setting): Promise<string | undefined> {
  const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
  const port = await freePort()
  await using program = start(languageOf(code), code.replaceAll('9000', String(port)), {
    ...setting.env,
    WEBHOOK_SECRET: secret,
  })
  const body = JSON.stringify({ id: '1', type: 'task_created', data: { task: { id: 1 } } })
  const at = new Date()
  const signature = new Webhook(secret).sign('1', at, body)
  const send = (signed: string) =>
    fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: {
        'webhook-id': '1',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': signed,
      },
      body,
    }).then(
      ({ status }) => status,
      () => 0,
    )
  await eventually(async () => (await send(signature)) !== 0, `it listens: ${program.said()}`)
  const [genuine, forged] = [await send(signature), await send(signature.replace(/.{4}$/, 'AAA='))]
  return genuine < 300 && forged >= 400 ? undefined : `answers ${genuine}, and to a forged message ${forged}`
}

async function tokenOf({ url }: Setting): Promise<string> {
  const username = `listener-${Date.now()}`
  const response = await fetch(`${url}/auth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: 'correct horse battery' }),
  })
  const { access_token } = (await response.json()) as { access_token: string }
  return access_token
}
