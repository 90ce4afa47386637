export { attachmentRoutes } from './attachment-routes.ts'
export { type Attachments, attachmentStorage, createAttachments } from './attachments.ts'
