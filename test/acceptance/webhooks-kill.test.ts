import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { descendants, kill } from '../support/processes.ts'
import { startReceiver, verified } from '../support/receiver.ts'
import { connectTo, startServer, stop, temporaryFolder } from '../support/server.ts'

const ROUNDS = 3
const settings = { WEBHOOK_ALLOW: '127.0.0.1' }

test(`every event is delivered with its id although the server is killed ${ROUNDS} times`, async () => {
  await using receiver = await startReceiver()
  // Slow enough for a kill between the response and the record of an attempt.
  receiver.answer((response) => void delay(15).then(() => response.writeHead(204).end()))
  const dataDir = temporaryFolder()
  let server = await startServer(settings, dataDir)
  const post = (path: string, body: object) =>
    fetch(server.url + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const secrets: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    // A new webhook in each round: the claims of the earlier ones still belong to dead processes.
    const made = await post('/webhooks', { url: `${receiver.url}/${round}` })
    secrets.push(((await made.json()) as { secret: string }).secret)
    const writes = Array.from({ length: 40 }, (_, i) =>
      post('/tasks', { title: `${round} ${i}` }).catch(() => {}),
    )
    await eventually(() => receiver.ids(`/${round}`).length >= 5, 'some are sent', 20_000)
    const pids = round % 2 === 0 ? [server.pid] : [server.pid, ...descendants(server.pid)]
    for (const pid of pids) kill(pid, 'SIGKILL')
    await Promise.all([server.exited, ...writes])
    server = await startServer(settings, dataDir)
  }

  const client = await connectTo(dataDir)
  const { rows } = await client.query<{ webhook: number; ids: string[] }>(
    `SELECT w.id AS webhook, array_agg(e.id::text ORDER BY e.id) AS ids
     FROM webhooks w JOIN events e ON e.at > w.created_at GROUP BY w.id ORDER BY w.id`,
  )
  expect(rows).toHaveLength(ROUNDS)
  // Lets the claims of the dead processes expire.
  await client.query(
    "UPDATE pgboss.job SET started_on = started_on - interval '1 hour' WHERE state = 'active'",
  )
  await client.query('UPDATE pgboss.queue SET monitor_on = NULL, monitor_claim_on = NULL')
  await client.end()
  expect(await stop(server)).toMatchObject({ code: 0 })
  server = await startServer(settings, dataDir)
  for (const [round, { webhook, ids }] of rows.entries()) {
    const path = `/${round}`
    await eventually(() => new Set(receiver.ids(path)).size === ids.length, `all arrive at ${path}`, 30_000)
    expect([...new Set(receiver.ids(path))].sort((a, b) => Number(a) - Number(b))).toEqual(ids)
    for (const message of receiver.received.filter((one) => one.path === path)) {
      expect(verified(secrets[round]!, message)).toMatchObject({ id: message.id })
    }
    const waiting = async () =>
      (await fetch(`${server.url}/webhooks/${webhook}/deliveries?state=waiting`)).json()
    await eventually(async () => ((await waiting()) as []).length === 0, 'all are recorded')
  }
  expect(await stop(server)).toMatchObject({ code: 0 })
  const published = rows.reduce((sum, { ids }) => sum + ids.length, 0)
  process.stdout.write(
    `kill -9, ${ROUNDS} times: ${published} messages, ${receiver.received.length - published} of them sent twice\n`,
  )
}, 420_000)
