/** Media type of unknown content. No program opens it automatically. */
const UNKNOWN = 'application/octet-stream'
const TEXT = 'text/plain; charset=utf-8'

const ZIP = 'PK\x03\x04'
const MATROSKA = '\x1aE\xdf\xa3'

/**
 * Signatures of common file types: bytes in Latin-1 and their offset. The first match decides. Types that a browser
 * would run, such as HTML and SVG, are left out on purpose: they count as text.
 */
const signatures: [string, ...[at: number, bytes: string][]][] = [
  ['image/png', [0, '\x89PNG\r\n\x1a\n']],
  ['image/jpeg', [0, '\xff\xd8\xff']],
  ['image/gif', [0, 'GIF87a']],
  ['image/gif', [0, 'GIF89a']],
  ['image/webp', [0, 'RIFF'], [8, 'WEBP']],
  ['image/avif', [4, 'ftypavif']],
  ['image/heic', [4, 'ftypheic']],
  ['image/heic', [4, 'ftypmif1']],
  ['image/tiff', [0, 'II*\0']],
  ['image/tiff', [0, 'MM\0*']],
  ['image/bmp', [0, 'BM'], [6, '\0\0\0\0']],
  ['application/pdf', [0, '%PDF-']],
  ['audio/wav', [0, 'RIFF'], [8, 'WAVE']],
  ['audio/mpeg', [0, 'ID3']],
  ['audio/mpeg', [0, '\xff\xfb']],
  ['audio/flac', [0, 'fLaC']],
  ['audio/ogg', [0, 'OggS']],
  ['audio/mp4', [4, 'ftypM4A']],
  ['video/quicktime', [4, 'ftypqt']],
  ['video/mp4', [4, 'ftyp']],
  ['video/webm', [0, MATROSKA], [31, 'webm']],
  ['video/webm', [0, MATROSKA], [24, 'webm']],
  ['video/matroska', [0, MATROSKA]],
  ['video/x-msvideo', [0, 'RIFF'], [8, 'AVI ']],
  // Formats based on ZIP store their media type first, uncompressed.
  [
    'application/vnd.oasis.opendocument.text',
    [0, ZIP],
    [30, 'mimetypeapplication/vnd.oasis.opendocument.text'],
  ],
  [
    'application/vnd.oasis.opendocument.spreadsheet',
    [0, ZIP],
    [30, 'mimetypeapplication/vnd.oasis.opendocument.spreadsheet'],
  ],
  [
    'application/vnd.oasis.opendocument.presentation',
    [0, ZIP],
    [30, 'mimetypeapplication/vnd.oasis.opendocument.presentation'],
  ],
  ['application/epub+zip', [0, ZIP], [30, 'mimetypeapplication/epub+zip']],
  ['application/zip', [0, ZIP]],
  ['application/zip', [0, 'PK\x05\x06']],
  ['application/gzip', [0, '\x1f\x8b\x08']],
  ['application/x-bzip2', [0, 'BZh']],
  ['application/x-xz', [0, '\xfd7zXZ\0']],
  ['application/zstd', [0, '(\xb5/\xfd']],
  ['application/x-7z-compressed', [0, "7z\xbc\xaf'\x1c"]],
  ['application/vnd.rar', [0, 'Rar!\x1a\x07']],
  ['application/x-tar', [257, 'ustar']],
  ['application/vnd.sqlite3', [0, 'SQLite format 3\0']],
  ['application/x-ole-storage', [0, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1']],
  ['application/rtf', [0, '{\\rtf']],
]

/** Office Open XML types, by the folder of one of the first files in the archive. */
const office: [string, string][] = [
  ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'word/'],
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xl/'],
  ['application/vnd.openxmlformats-officedocument.presentationml.presentation', 'ppt/'],
]

/**
 * Returns the media type of a file by its first bytes; the type that the client sent is ignored. UTF-8 without
 * control characters is text.
 */
export function contentTypeOf(head: Buffer): string {
  const bytes = head.toString('latin1')
  const found = signatures.find(([, ...parts]) => parts.every(([at, part]) => bytes.startsWith(part, at)))
  if (found?.[0] === 'application/zip') return zipType(bytes)
  if (found) return found[0]
  return head.length > 0 && isText(head) ? TEXT : UNKNOWN
}

function zipType(bytes: string): string {
  for (let entry = 0; entry !== -1; entry = bytes.indexOf(ZIP, entry + 1)) {
    const found = office.find(([, folder]) => bytes.startsWith(folder, entry + 30))
    if (found) return found[0]
  }
  return 'application/zip'
}

/** Tab, line feed, form feed, carriage return, escape. */
const TEXT_CONTROLS = new Set([0x09, 0x0a, 0x0c, 0x0d, 0x1b])

function isText(head: Buffer): boolean {
  if (!head.every((byte) => (byte < 0x20 ? TEXT_CONTROLS.has(byte) : byte !== 0x7f))) return false
  try {
    // The last character may be incomplete.
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true })
    return true
  } catch {
    return false
  }
}
