import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { buffersPassed } from '../memory/garbage.ts'
import { fullDisk } from './full-disk.ts'
import { expectBytes, type FileStorage, MissingFile } from './storage.ts'

/** Size of one read from the disk. With the default of 64 KiB, a download is a third slower. */
const READ_BYTES = 512 * 1024

/**
 * Keeps files in a folder of this machine. Received files must lie on the same file system: they are moved.
 */
export function createDiskStorage(root: string): FileStorage {
  // Files are spread over subfolders: a folder with 100,000 files is slow on some file systems.
  const pathOf = (key: string) => join(root, key.slice(0, 2), key)

  return {
    async keep(key, file) {
      const path = pathOf(key)
      try {
        await sync(file.path)
        if (await mkdir(dirname(path), { recursive: true, mode: 0o700 })) {
          for (const folder of [root, dirname(root)]) await syncFolder(folder)
        }
        await rename(file.path, path)
        await syncFolder(dirname(path))
      } catch (error) {
        throw fullDisk(error)
      }
    },
    async read(key, size, range) {
      const file = await open(pathOf(key)).catch((error) => {
        throw error.code === 'ENOENT' ? new MissingFile(key) : error
      })
      try {
        expectBytes(key, (await file.stat()).size, size)
      } catch (error) {
        await file.close()
        throw error
      }
      const content = file.createReadStream({ ...range, highWaterMark: READ_BYTES })
      // Added only when the stream flows: a `data` listener would start it before its reader is attached.
      return content.once('resume', () => content.on('data', ({ length }) => buffersPassed(length)))
    },
    async remove(key) {
      await rm(pathOf(key), { force: true })
    },
    // No check: a full or missing disk shows when it is used, and affects more than attachments.
    async check() {},
    async [Symbol.asyncDispose]() {},
  }
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r+')
  await file.datasync()
}

/** Makes a new file name durable (fsync of the folder). Windows has no such call for folders. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  await using folder = await open(path)
  await folder.sync()
}
