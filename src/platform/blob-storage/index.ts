export { createDiskStorage } from './disk-storage.ts'
export { type ReceivedFile, receive, sweepIncoming, tooLarge } from './incoming.ts'
export { createS3Storage } from './s3-storage.ts'
export { type ByteRange, type FileStorage, MissingFile } from './storage.ts'
