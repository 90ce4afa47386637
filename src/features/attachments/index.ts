export { attachmentRoutes } from './attachment-routes.ts'
export { type Attachments, createAttachments } from './attachments.ts'
