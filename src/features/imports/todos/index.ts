import { withoutCredentials } from '../../../core/shown-url.ts'
import type { Importer } from '../importer.ts'
import { fetchTodos } from './todo-source.ts'
import { saveTodos } from './todo-store.ts'

/** The importer of todos in the shape of jsonplaceholder.typicode.com/todos. */
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
