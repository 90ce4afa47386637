import { createClient } from '@taskwire/client'

const taskwire = createClient({ url: 'http://localhost:8000', token: process.env.TASKWIRE_TOKEN })
const stop = new AbortController()
process.once('SIGINT', () => stop.abort())

// Keep the id of the last event that was dealt with, and nothing is missed between two runs either.
let after: string | undefined
for await (const event of taskwire.events({ after, signal: stop.signal })) {
  switch (event.type) {
    case 'task_created':
    case 'task_updated':
      console.log(event.type, event.data.task.title)
      break
    case 'task_deleted':
      console.log(event.type, event.data.task_id)
      break
    case 'reset':
      console.log('Some events are no longer kept: read the tasks anew')
  }
  if (event.type !== 'reset') after = event.id
}
