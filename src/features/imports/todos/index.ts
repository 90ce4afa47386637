import { withoutCredentials } from '../../../core/redacted-url.ts'
import type { Importer } from '../importer.ts'
import { saveTodos } from './save-todos.ts'
import { fetchTodos } from './todo-source.ts'

/** Creates the importer of todos in the format of jsonplaceholder.typicode.com/todos. */
export function todoImporter(options: { url: string; intervalSeconds: number }): Importer {
  return {
    name: 'todos',
    source: withoutCredentials(options.url),
    intervalSeconds: options.intervalSeconds,
    async fetch(signal) {
      const todos = await fetchTodos(options.url, signal)
      return (transaction) => saveTodos(transaction, todos)
    },
  }
}
