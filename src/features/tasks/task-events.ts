import { rowFromSnapshot, type TaskPresenter, type TaskRow } from './task.ts'

/** How the events that the task store writes are told to clients. */
export function taskEventRenderers(present: TaskPresenter) {
  const renderTask = (snapshot: TaskRow) => ({ task: present(rowFromSnapshot(snapshot)) })
  return {
    task_created: renderTask,
    task_updated: renderTask,
    task_deleted: ({ task_id }: { task_id: number }) => ({ task_id }),
  }
}
