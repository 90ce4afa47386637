import { expect, test } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { descendants, kill } from '../support/processes.ts'
import { connectTo, startServer, stop, temporaryFolder } from '../support/server.ts'
import { SocketFollower, SourceFollower } from '../support/storm/followers.ts'
import { PatientWriters } from '../support/storm/patient-writers.ts'

const ROUNDS = 10
const WRITERS = 5

/** Where the server is now; it comes back on another port. */
const place = { url: '' }

test(`kill -9, ${ROUNDS} times: each write with a key is done once, and who resumes has each event once`, async () => {
  const dataDir = temporaryFolder()
  let server = await startServer({}, dataDir)
  place.url = server.url
  const writers = new PatientWriters(WRITERS, () => place.url)
  const followers = [
    new SocketFollower(() => place.url, { after: '0' }),
    new SourceFollower(() => place.url, { after: '0' }),
  ]
  for (let round = 0; round < ROUNDS; round++) {
    const target = writers.answered.size + 40 + round * 15
    await eventually(() => writers.answered.size >= target, 'the writers write', 30_000)
    const pids = round % 2 === 0 ? [server.pid] : [server.pid, ...descendants(server.pid)]
    for (const pid of pids) kill(pid, 'SIGKILL')
    await server.exited
    server = await startServer({}, dataDir)
    place.url = server.url
  }
  await writers.stop()
  await using client = await connectTo(dataDir)
  const tasks = await client.query<{ id: number; title: string }>('SELECT id, title FROM tasks')
  expect(new Map(tasks.rows.map(({ id, title }) => [title, id]))).toEqual(writers.answered)
  expect(tasks.rows).toHaveLength(writers.answered.size)

  const events = await client.query<{ id: string }>('SELECT id FROM events ORDER BY events.id')
  const all = events.rows.map(({ id }) => Number(id))
  for (const follower of followers) {
    await eventually(() => follower.ids.length >= all.length, 'the follower has caught up', 30_000)
    await follower.stop()
    expect(follower.problems).toEqual([])
    expect(follower.ids).toEqual(all)
  }
  expect(await stop(server)).toMatchObject({ code: 0 })
  process.stdout.write(
    `kill -9, ${ROUNDS} times: ${writers.answered.size} writes with a key, ${writers.retries} retries, ${all.length} events at each of 2 followers\n`,
  )
}, 420_000)
